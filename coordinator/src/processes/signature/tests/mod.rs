//! Coordinators with real stores; the test is their network, their processors and their clock.

mod intake;
mod relay;
mod restored;
mod signing;
mod versions;
mod world;
