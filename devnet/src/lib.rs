//! Starts a whole development network: chain, coordinators, processors.
