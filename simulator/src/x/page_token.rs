//! X's pagination tokens: 16 characters that mean nothing without this world's key.
//!
//! A token is base32hex of a keyed permutation of an 8-byte keyset position, `=` written as `Z`. Positions lie between
//! edges, so follows and unfollows never shift a page. Nothing is remembered of a token that cannot expire: a position
//! is good if it lies right above an edge that this list once had, which a token of another list or an invented one
//! meets in one of ten million tries. Those, and expired ones, are refused alike.

use std::collections::{BTreeMap, VecDeque};

use crate::{edges::SEQUENCE_STEP, ids::mix, population::Account};

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const PAD: &str = "ZZZ";
const ROUNDS: u64 = 4;

/// What a token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    pub(super) backwards: bool,
}

/// Tokens of one list that have not expired, by when they were given out.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    since: BTreeMap<u64, u64>,
    queue: VecDeque<(u64, u64)>,
}

impl Issued {
    fn remember(&mut self, image: u64, ttl_ms: u64, now_ms: u64) {
        while let Some((since, old)) = self.queue.front().copied()
            && now_ms >= since.saturating_add(ttl_ms)
        {
            self.queue.pop_front();
            // A token given out again lives on.
            if self.since.get(&old) == Some(&since) {
                self.since.remove(&old);
            }
        }
        self.since.insert(image, now_ms);
        self.queue.push_back((now_ms, image));
    }
}

/// Issues the token of a position in this account's list.
pub(super) fn issue(
    account: &mut Account,
    key: u64,
    place: Place,
    ttl_ms: Option<u64>,
    now_ms: u64,
) -> String {
    // Positions leave their lowest bit free (edges lie 64 apart): it tells the directions apart.
    let image = permute(key, (place.position & !1) | u64::from(place.backwards));
    if let Some(ttl_ms) = ttl_ms {
        account.tokens.remember(image, ttl_ms, now_ms);
    }
    encode(image)
}

/// What a token stands for, if this list issued it and it has not expired.
pub(super) fn open(
    account: &Account,
    key: u64,
    text: &str,
    ttl_ms: Option<u64>,
    now_ms: u64,
) -> Option<Place> {
    let image = decode(text)?;
    let lives = |ttl: u64| {
        let since = account.tokens.since.get(&image);
        since.is_some_and(|since| now_ms < since.saturating_add(ttl))
    };
    if !ttl_ms.is_none_or(lives) {
        return None;
    }
    let block = unpermute(key, image);
    let place = Place {
        position: block & !1,
        backwards: block & 1 == 1,
    };
    let known = if place.backwards {
        account.edges.had_key(place.position.wrapping_sub(2))
    } else {
        account
            .edges
            .had_key_in(place.position.saturating_sub(SEQUENCE_STEP - 1)..=place.position)
    };
    known.then_some(place)
}

/// The other way through [`permute`].
fn unpermute(key: u64, image: u64) -> u64 {
    let (mut left, mut right) = (image >> 32, image & 0xFFFF_FFFF);
    for round in (0..ROUNDS).rev() {
        let mixed = mix(key ^ round, left) >> 32;
        (left, right) = (right ^ mixed, left);
    }
    left << 32 | right
}

/// A four-round Feistel network: a bijection of 64 bits, so that no two positions share a token.
fn permute(key: u64, block: u64) -> u64 {
    let (mut left, mut right) = (block >> 32, block & 0xFFFF_FFFF);
    for round in 0..ROUNDS {
        let mixed = mix(key ^ round, right) >> 32;
        (left, right) = (right, left ^ mixed);
    }
    left << 32 | right
}

fn encode(image: u64) -> String {
    let mut text = String::with_capacity(16);
    // 13 digits are 65 bits; the last one carries the lowest four and a zero, as base32hex of 8 bytes does.
    let wide = u128::from(image) << 1;
    for place in (0..13u32).rev() {
        let digit = usize::try_from((wide >> (place * 5)) & 31)
            .ok()
            .and_then(|index| DIGITS.get(index));
        text.push(char::from(digit.copied().unwrap_or(b'0')));
    }
    text.push_str(PAD);
    text
}

fn decode(text: &str) -> Option<u64> {
    let digits = text.strip_suffix(PAD).filter(|digits| digits.len() == 13)?;
    let wide = digits.bytes().try_fold(0u128, |wide, byte| {
        let digit = DIGITS.iter().position(|known| *known == byte)?;
        Some(wide << 5 | u128::try_from(digit).ok()?)
    })?;
    (wide & 1 == 0).then(|| u64::try_from(wide >> 1).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_sample_decodes_to_its_known_bytes() {
        assert_eq!(decode("DFEDBNRFT3MHCZZZ"), Some(0x6bdc_d5df_6fe8_ed16));
        assert_eq!(encode(0x6bdc_d5df_6fe8_ed16), "DFEDBNRFT3MHCZZZ");
    }

    #[test]
    fn a_permutation_has_a_way_back() {
        for block in [0, 1, 64, 1_787_000_000_000 << 20, u64::MAX] {
            assert_eq!(unpermute(9, permute(9, block)), block);
        }
    }

    #[test]
    fn neighbouring_positions_have_unrelated_tokens() {
        let tokens: std::collections::BTreeSet<_> =
            (0..1_000u64).map(|n| encode(permute(9, n * 64))).collect();
        assert_eq!(tokens.len(), 1_000);
        let close = tokens
            .iter()
            .zip(tokens.iter().skip(1))
            .filter(|(a, b)| a[..4] == b[..4])
            .count();
        assert!(close < 5, "{close}");
    }

    #[test]
    fn what_is_no_token_opens_nothing() {
        for text in [
            "",
            "DFEDBNRFT3MHC",
            "dfedbnrft3mhcZZZ",
            "DFEDBNRFT3MHDZZZZ",
            "WWWWWWWWWWWWWZZZ",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
