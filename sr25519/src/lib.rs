//! Schnorrkel signatures as an algorithm of modular-frost.
