//! Kafka and an embedded log behind one promise, with sealed messages.
