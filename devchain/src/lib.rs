//! Development Serai chain: a FRAME runtime in process behind the JSON-RPC methods subxt calls.
