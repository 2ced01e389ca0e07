//! User numbers and the ids each platform shows for them.
//!
//! A user is a dense number inside its platform (edges hold 8 bytes of it); the id on the wire is a bijection of
//! that number, so that no table of ten million ids is kept and yet sorting by id says nothing about follow order.

use crate::world::Platform;

const MIX_A: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX_B: u64 = 0xBF58_476D_1CE4_E5B9;
const MIX_C: u64 = 0x94D0_49BB_1331_11EB;

const X_BITS: u32 = 58;
const GITEA_BITS: u32 = 40;
const DID_BITS: u32 = 60;
const X_ID_BASE: u64 = 1_000_000_000_000_000_000;
const DID_PREFIX: &str = "did:plc:";

/// ASCII-ordered, so that text order is number order (the platform's own alphabet is not).
const SORTED32: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// A well-spread hash of `value`; equal inputs give equal outputs on every machine.
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    let mut word = seed ^ value.wrapping_add(1).wrapping_mul(MIX_A);
    word = (word ^ (word >> 30)).wrapping_mul(MIX_B);
    word = (word ^ (word >> 27)).wrapping_mul(MIX_C);
    word ^ (word >> 31)
}

const fn inverse(odd: u64) -> u64 {
    // Newton's iteration doubles the number of correct low bits; five steps from 3 bits pass 64.
    let mut guess = odd;
    let mut step = 0;
    while step < 5 {
        guess = guess.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(guess)));
        step += 1;
    }
    guess
}

fn scramble(bits: u32, number: u64) -> u64 {
    let mask = (1u64 << bits) - 1;
    let mut word = number.wrapping_mul(MIX_B) & mask;
    word ^= word >> (bits / 2);
    word.wrapping_mul(MIX_C) & mask
}

fn unscramble(bits: u32, image: u64) -> u64 {
    let mask = (1u64 << bits) - 1;
    let mut word = image.wrapping_mul(inverse(MIX_C)) & mask;
    word ^= word >> (bits / 2);
    word.wrapping_mul(inverse(MIX_B)) & mask
}

/// `digits` base-32 characters of the low bits of `value`, most significant first, in text order.
pub(crate) fn base32(value: u64, digits: u32, out: &mut String) {
    for place in (0..digits).rev() {
        let digit = (value >> (place * 5)) & 31;
        let byte = usize::try_from(digit)
            .ok()
            .and_then(|index| SORTED32.get(index))
            .copied();
        out.push(char::from(byte.unwrap_or(b'2')));
    }
}

/// The number behind [`base32`]'s characters.
pub(crate) fn from_base32(text: &str) -> Option<u64> {
    text.bytes().try_fold(0u64, |value, byte| {
        let digit = SORTED32.iter().position(|known| *known == byte)?;
        value.checked_mul(32)?.checked_add(u64::try_from(digit).ok()?)
    })
}

/// The id the platform shows for user `number`.
pub(crate) fn public_id(platform: Platform, number: u64) -> String {
    match platform {
        Platform::X => (X_ID_BASE + scramble(X_BITS, number)).to_string(),
        Platform::Gitea => gitea_id(number).to_string(),
        Platform::Bluesky => {
            let mut did = String::with_capacity(32);
            did.push_str(DID_PREFIX);
            base32(scramble(DID_BITS, number), 12, &mut did);
            base32(mix(MIX_A, number), 12, &mut did);
            did
        }
    }
}

/// Gitea's ids are integers in JSON.
pub(crate) fn gitea_id(number: u64) -> u64 {
    scramble(GITEA_BITS, number)
}

/// The user number behind an id, if this world could have issued it.
pub(crate) fn number_of(platform: Platform, id: &str) -> Option<u64> {
    let number = match platform {
        Platform::X => {
            let image = id.parse::<u64>().ok()?.checked_sub(X_ID_BASE)?;
            (image < 1 << X_BITS).then(|| unscramble(X_BITS, image))?
        }
        Platform::Gitea => {
            let image = id.parse::<u64>().ok()?;
            (image < 1 << GITEA_BITS).then(|| unscramble(GITEA_BITS, image))?
        }
        Platform::Bluesky => unscramble(DID_BITS, from_base32(id.strip_prefix(DID_PREFIX)?.get(..12)?)?),
    };
    (public_id(platform, number) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_id_leads_back_to_its_user() {
        for platform in Platform::ALL {
            for number in (0..5_000).chain([1 << 33, (1 << 39) + 12345]) {
                assert_eq!(number_of(platform, &public_id(platform, number)), Some(number));
            }
        }
    }

    #[test]
    fn foreign_ids_are_nobody() {
        assert_eq!(number_of(Platform::X, "12"), None);
        assert_eq!(number_of(Platform::Bluesky, "did:plc:short"), None);
        assert_eq!(
            number_of(Platform::Bluesky, &format!("{DID_PREFIX}{}", "a".repeat(24))),
            None
        );
        assert_eq!(number_of(Platform::Gitea, "me"), None);
    }
}
