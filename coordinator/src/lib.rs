//! The Serai coordinator.
