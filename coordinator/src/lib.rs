//! The Serai coordinator.

pub mod processes;
