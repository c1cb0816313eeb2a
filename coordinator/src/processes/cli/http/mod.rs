//! HTTP: health, metrics, the same answers as JSON, and a page for people.
//!
//! # Promises
//! Only GET. Every answer is made when it is asked for. When served on loopback, requests for
//! another host are refused, so that a web page elsewhere cannot read these pages by pointing its
//! own name here.
//!
//! # Limits
//! [`limited::MAX_CONNECTIONS`] connections; further ones wait to be accepted.

mod limited;
mod routes;

pub(super) use routes::serve;
