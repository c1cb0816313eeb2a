//! What was sealed on this thread is opened without its cryptography: for simulations, where both ends of
//! each topic live in one process. The same record by another sender, for another receiver, or with any
//! header or byte changed, is another one.

use std::cell::RefCell;
use std::collections::HashMap;

use serai_messages::{ProcessorKey, Record};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Most that is remembered; then it begins anew.
const MOST: usize = 1 << 13;

thread_local! {
    static SEALED: RefCell<HashMap<[u8; 32], Zeroizing<Vec<u8>>>> = RefCell::default();
}

/// Remembers the body of a sealed record.
pub(crate) fn remember(
    record: &Record,
    from: &ProcessorKey,
    to: &ProcessorKey,
    body: Zeroizing<Vec<u8>>,
) {
    SEALED.with_borrow_mut(|sealed| {
        if sealed.len() >= MOST {
            sealed.clear();
        }
        sealed.insert(digest(record, from, to), body);
    });
}

/// The body, if it was sealed here.
pub(crate) fn recall(
    record: &Record,
    from: &ProcessorKey,
    to: &ProcessorKey,
) -> Option<Zeroizing<Vec<u8>>> {
    SEALED.with_borrow(|sealed| sealed.get(&digest(record, from, to)).cloned())
}

fn digest(record: &Record, from: &ProcessorKey, to: &ProcessorKey) -> [u8; 32] {
    let headers = record.associated_data();
    Sha256::new()
        .chain_update(from.0)
        .chain_update(to.0)
        .chain_update((headers.len() as u64).to_le_bytes())
        .chain_update(headers)
        .chain_update(&record.body)
        .finalize()
        .into()
}
