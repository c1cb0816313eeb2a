//! The few SCALE encodings that batches are made of (Serai's ABI), by hand: what a deposit's data
//! asks for is checked here byte by byte, so that Serai never meets a batch that it cannot decode.

use blake2::{Blake2b, Digest, digest::consts::U32};
use serai_messages::{Coin, ValidatorSet};

/// Longest encoded batch that Serai takes.
pub const MAX_BATCH_BYTES: usize = 25_000;

/// Longest external address on Serai.
const MAX_ADDRESS_BYTES: u32 = 196;

/// A Serai batch, encoded. `instructions` is the encoded list, count included.
pub fn batch(coin: Coin, id: u32, block: [u8; 32], instructions: &[u8]) -> Vec<u8> {
    let mut bytes = vec![coin.network_id()];
    bytes.extend(id.to_le_bytes());
    bytes.extend(block);
    bytes.extend(instructions);
    bytes
}

/// An `InInstructionWithBalance`, of an instruction that [`instruction`] has found.
pub fn with_balance(coin: Coin, instruction: &[u8], amount: u64) -> Vec<u8> {
    let mut bytes = instruction.to_vec();
    bytes.push(native_coin(coin));
    bytes.extend(amount.to_le_bytes());
    bytes
}

/// A list of encoded items.
pub fn list<'a>(items: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = compact(u32::try_from(items.len()).unwrap_or(u32::MAX));
    for item in items {
        bytes.extend(item);
    }
    bytes
}

/// Blake2b-256, as Serai hashes instructions.
pub fn blake2_256(bytes: &[u8]) -> [u8; 32] {
    Blake2b::<U32>::digest(bytes).into()
}

/// What a vault's Ristretto key signs of a batch.
pub fn batch_message(batch: &[u8]) -> Vec<u8> {
    [b"InInstructions-batch".as_slice(), batch].concat()
}

/// What the Ristretto key of `set` signs of its encoded slash report.
pub fn slashes_message(set: ValidatorSet, report: &[u8]) -> Vec<u8> {
    let mut bytes = b"ValidatorSets-report_slashes".to_vec();
    bytes.extend(set.session.0.to_le_bytes());
    bytes.push(set.coin.network_id());
    bytes.extend(report);
    bytes
}

/// `ExternalCoin` of what arrives on a coin's own chain.
pub fn native_coin(coin: Coin) -> u8 {
    match coin {
        Coin::Btc => 4,
        Coin::Eth => 5,
        Coin::Xmr => 7,
    }
}

/// The encoded `InInstruction` in a deposit's data (`Shorthand`); none where it is none that Serai
/// executes: its variants other than `Raw` stop this version of Serai.
pub fn instruction(data: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader { left: data };
    if reader.byte()? != 0 {
        return None;
    }
    match reader.byte()? {
        0 => {}
        1 => reader.address()?,
        _ => return None,
    }
    let instruction = reader.left;
    match reader.byte()? {
        0 | 2 => reader.skip(32)?,
        1 => reader.dex_call()?,
        3 => {
            reader.skip(32)?;
            reader.one_of(&[0, 1, 2, 3])?;
        }
        _ => return None,
    }
    reader.left.is_empty().then_some(instruction)
}

fn compact(value: u32) -> Vec<u8> {
    match value {
        0..0x40 => vec![u8::try_from(value << 2).unwrap_or_default()],
        0x40..0x4000 => u16::try_from(value << 2 | 1).unwrap_or_default().to_le_bytes().to_vec(),
        0x4000..0x4000_0000 => (value << 2 | 2).to_le_bytes().to_vec(),
        _ => [&[3][..], &value.to_le_bytes()].concat(),
    }
}

struct Reader<'a> {
    left: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, left) = self.left.split_first()?;
        self.left = left;
        Some(*first)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        self.left = self.left.get(bytes..)?;
        Some(())
    }

    fn one_of(&mut self, known: &[u8]) -> Option<()> {
        known.contains(&self.byte()?).then_some(())
    }

    /// A count below 2^14, which all lists here stay under. Longer forms than needed are refused, as
    /// Serai does.
    fn count(&mut self) -> Option<u32> {
        let first = self.byte()?;
        match first & 3 {
            0 => Some(u32::from(first >> 2)),
            1 => {
                let value = u32::from(u16::from_le_bytes([first, self.byte()?]) >> 2);
                (value >= 0x40).then_some(value)
            }
            _ => None,
        }
    }

    fn address(&mut self) -> Option<()> {
        let count = self.count().filter(|count| *count <= MAX_ADDRESS_BYTES)?;
        self.skip(usize::try_from(count).ok()?)
    }

    fn dex_call(&mut self) -> Option<()> {
        match self.byte()? {
            0 => self.skip(32),
            1 => {
                self.one_of(&[0, 4, 5, 6, 7])?;
                self.skip(8)?;
                match self.byte()? {
                    0 => self.skip(32),
                    1 => self.address(),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use serai_messages::Session;

    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).unwrap()
    }

    #[test]
    fn batch_and_hash_are_those_of_serai() {
        let data = hex(&format!("000000{ALICE}"));
        let transfer = with_balance(Coin::Btc, instruction(&data).unwrap(), 70_000);
        let instructions = list([transfer.as_slice()].into_iter());
        let expected = format!("01 03000000 {} 04 00 {ALICE} 04 7011010000000000", "aa".repeat(32));
        assert_eq!(batch(Coin::Btc, 3, [0xaa; 32], &instructions), hex(&expected));
        assert_eq!(
            blake2_256(&instructions).to_vec(),
            hex("2e28b46cac24194be29baa3e5a7288fc93bc039769a1dccd835ca4ce8f0defa8")
        );
        assert_eq!(
            blake2_256(&list([].into_iter())).to_vec(),
            hex("03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314")
        );
    }

    #[test]
    fn slash_message_is_that_of_serai() {
        let bob = "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48";
        let report = list([hex(&format!("{bob}03000000")).as_slice()].into_iter());
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let expected = "56616c696461746f72536574732d7265706f72745f736c6173686573 0000000001 04";
        assert_eq!(slashes_message(set, &report), hex(&format!("{expected}{bob}03000000")));
    }

    #[test]
    fn every_known_instruction_is_taken_as_it_stands() {
        let key = "11".repeat(32);
        let known = [
            format!("00{key}"),
            format!("0100{key}"),
            format!("0101 04 0900000000000000 00{key}"),
            format!("0101 00 0900000000000000 01 50{}", "05".repeat(20)),
            // 196 bytes need the longer count.
            format!("0101 00 0900000000000000 01 1103{}", "05".repeat(196)),
            format!("02{key}"),
            format!("03{key}02"),
        ];
        for text in known {
            assert_eq!(instruction(&hex(&format!("0000{text}"))), Some(hex(&text).as_slice()));
            let refundable = hex(&format!("0001 0c aabbcc {text}"));
            assert_eq!(instruction(&refundable), Some(hex(&text).as_slice()));
            let trailing = hex(&format!("0000{text}00"));
            assert_eq!(instruction(&trailing), None);
            for end in 0..trailing.len() - 1 {
                assert_eq!(instruction(&trailing[..end]), None, "cut at {end}: {text}");
            }
        }
    }

    #[test]
    fn what_serai_cannot_decode_or_execute_is_none() {
        let key = "11".repeat(32);
        let wrong = [
            // Other shorthands.
            format!("0100 00{key}"),
            format!("0200 00{key}"),
            // No option.
            format!("0002 00{key}"),
            // An unknown instruction, dex call, coin, network, address.
            format!("0000 04{key}"),
            format!("0000 0102{key}"),
            format!("0000 0101 03 0900000000000000 00{key}"),
            format!("0000 03{key}04"),
            format!("0000 0101 00 0900000000000000 02{key}"),
            // Too long; a longer form than needed.
            format!("0000 0101 00 0900000000000000 01 1503{}", "05".repeat(197)),
            format!("0000 0101 00 0900000000000000 01 5100{}", "05".repeat(20)),
        ];
        for text in wrong {
            assert_eq!(instruction(&hex(&text)), None, "{text}");
        }
    }

    #[test]
    fn counts_have_their_shortest_form() {
        let forms: [(u32, &[u8]); 5] = [
            (63, &[252]),
            (64, &[1, 1]),
            (16_383, &[253, 255]),
            (16_384, &[2, 0, 1, 0]),
            (1 << 30, &[3, 0, 0, 0, 64]),
        ];
        for (value, form) in forms {
            assert_eq!(compact(value), form);
        }
    }
}
