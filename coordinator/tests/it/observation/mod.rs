//! The observation process against a development chain whose blocks are authored by hand.

mod batches;
mod catching_up;
mod endpoints;
mod feed;
mod instructions;
mod proxy;
mod rotation;
mod solvency;
mod submission;
mod world;
