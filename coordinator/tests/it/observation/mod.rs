//! The observation process against a development chain whose blocks are authored by hand.

mod catching_up;
mod endpoints;
mod instructions;
mod proxy;
mod rotation;
mod submission;
mod world;
