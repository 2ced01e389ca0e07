//! User numbers and the ids each platform shows for them.
//!
//! A user is a dense number inside its server (edges hold 8 bytes of it); the id on the wire is a bijection of
//! that number, so that no table of ten million ids is kept and yet sorting by id says nothing about follow order.

use crate::{config::MastodonIds, json::push_number, world::Platform};

const MIX_A: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX_B: u64 = 0xBF58_476D_1CE4_E5B9;
const MIX_C: u64 = 0x94D0_49BB_1331_11EB;

const X_BITS: u32 = 58;
const INTEGER_BITS: u32 = 40;
const GITHUB_BITS: u32 = 36;
const SNOWFLAKE_BITS: u32 = 56;
const DID_BITS: u32 = 60;
const FLAKE_BITS: u32 = 58;
const ULID_BITS: u32 = 60;
const X_ID_BASE: u64 = 1_000_000_000_000_000_000;
/// Eighteen digits, as a Mastodon server gives out since 2017.
const SNOWFLAKE_BASE: u64 = 109_000_000_000_000_000;
const DID_PREFIX: &str = "did:plc:";
const FLAKE_PREFIX: &str = "9n1byS";
const ULID_PREFIX: &str = "01F";

/// Both in ASCII order, so that ids sort as text as they do as numbers.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What ids look like on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdStyle {
    /// Nineteen digits.
    X,
    /// `did:plc:` and 24 characters.
    Did,
    /// Up to 13 digits.
    Integer,
    /// Up to 11 digits.
    Github,
    /// Eighteen digits: Mastodon.
    Snowflake,
    /// Eighteen letters and digits: Pleroma and Akkoma.
    Flake,
    /// Twenty-six letters and digits: `GoToSocial`.
    Ulid,
}

impl From<Platform> for IdStyle {
    fn from(platform: Platform) -> Self {
        match platform {
            Platform::X => Self::X,
            Platform::Bluesky => Self::Did,
            Platform::Gitea => Self::Integer,
            Platform::Github => Self::Github,
            Platform::Mastodon => Self::Snowflake,
        }
    }
}

impl From<MastodonIds> for IdStyle {
    fn from(ids: MastodonIds) -> Self {
        match ids {
            MastodonIds::Snowflake => Self::Snowflake,
            MastodonIds::Flake => Self::Flake,
            MastodonIds::Ulid => Self::Ulid,
        }
    }
}

impl IdStyle {
    /// How many bits a rank has.
    pub(crate) const fn bits(self) -> u32 {
        match self {
            Self::X => X_BITS,
            Self::Did => DID_BITS,
            Self::Integer => INTEGER_BITS,
            Self::Github => GITHUB_BITS,
            Self::Snowflake => SNOWFLAKE_BITS,
            Self::Flake => FLAKE_BITS,
            Self::Ulid => ULID_BITS,
        }
    }

    /// A number in the order in which the ids sort: numerically where they are integers, else as text.
    pub(crate) fn rank(self, number: u64) -> u64 {
        scramble(self.bits(), number)
    }

    /// The user number behind a [`rank`](Self::rank).
    pub(crate) fn of_rank(self, rank: u64) -> u64 {
        unscramble(self.bits(), rank)
    }
}

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

/// `digits` characters of `value` in an alphabet, most significant first.
fn in_alphabet<const N: usize>(alphabet: &[u8; N], mut value: u64, digits: usize, out: &mut String) {
    let base = u64::try_from(N).unwrap_or(64);
    let mut text = [b'0'; 24];
    for place in text.iter_mut().take(digits).rev() {
        let digit = usize::try_from(value % base).unwrap_or(0);
        *place = alphabet.get(digit).copied().unwrap_or(b'0');
        value /= base;
    }
    out.extend(text.iter().take(digits).copied().map(char::from));
}

fn from_alphabet<const N: usize>(alphabet: &[u8; N], text: &str) -> Option<u64> {
    let base = u64::try_from(N).ok()?;
    text.bytes().try_fold(0u64, |value, byte| {
        let digit = alphabet.iter().position(|known| *known == byte)?;
        value.checked_mul(base)?.checked_add(u64::try_from(digit).ok()?)
    })
}

/// A number as eighteen characters of base 62 that sort as numbers do.
pub(crate) fn flake(number: u64) -> String {
    let mut text = String::with_capacity(18);
    text.push_str(FLAKE_PREFIX);
    in_alphabet(BASE62, number, 12, &mut text);
    text
}

/// The number behind [`flake`].
pub(crate) fn of_flake(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(FLAKE_PREFIX)?;
    (rest.len() == 12).then(|| from_alphabet(BASE62, rest))?
}

/// A number as a ULID whose order is the numbers' order.
pub(crate) fn ulid(number: u64) -> String {
    let mut text = String::with_capacity(26);
    text.push_str(ULID_PREFIX);
    in_alphabet(CROCKFORD, number, 13, &mut text);
    // What follows decides nothing: the thirteen before it are unique.
    in_alphabet(CROCKFORD, mix(MIX_A, number) >> 14, 10, &mut text);
    text
}

/// The number behind [`ulid`].
pub(crate) fn of_ulid(text: &str) -> Option<u64> {
    let rest = text.strip_prefix(ULID_PREFIX)?;
    from_alphabet(CROCKFORD, rest.get(..13)?)
}

/// The id the platform shows for user `number`.
pub(crate) fn public_id(style: impl Into<IdStyle>, number: u64) -> String {
    let mut out = String::with_capacity(32);
    push_id(&mut out, style.into(), number);
    out
}

/// Appends the id the platform shows for user `number`.
pub(crate) fn push_id(out: &mut String, style: IdStyle, number: u64) {
    match style {
        IdStyle::X => push_number(out, X_ID_BASE + style.rank(number)),
        IdStyle::Integer | IdStyle::Github => push_number(out, style.rank(number)),
        IdStyle::Snowflake => push_number(out, SNOWFLAKE_BASE + style.rank(number)),
        IdStyle::Did => {
            out.push_str(DID_PREFIX);
            base32(style.rank(number), 12, out);
            base32(mix(MIX_A, number), 12, out);
        }
        IdStyle::Flake => out.push_str(&flake(style.rank(number))),
        IdStyle::Ulid => out.push_str(&ulid(style.rank(number))),
    }
}

/// Gitea's and GitHub's ids are integers in JSON.
pub(crate) fn integer_id(style: impl Into<IdStyle>, number: u64) -> u64 {
    style.into().rank(number)
}

/// The user number behind an id, if this world could have issued it.
pub(crate) fn number_of(style: impl Into<IdStyle>, id: &str) -> Option<u64> {
    let style = style.into();
    let rank = match style {
        IdStyle::X => id.parse::<u64>().ok()?.checked_sub(X_ID_BASE)?,
        IdStyle::Integer | IdStyle::Github => id.parse::<u64>().ok()?,
        IdStyle::Snowflake => id.parse::<u64>().ok()?.checked_sub(SNOWFLAKE_BASE)?,
        IdStyle::Did => from_base32(id.strip_prefix(DID_PREFIX)?.get(..12)?)?,
        IdStyle::Flake => of_flake(id)?,
        IdStyle::Ulid => of_ulid(id)?,
    };
    let number = (rank < 1 << style.bits()).then(|| style.of_rank(rank))?;
    // Leading zeros, other tails: one user has one spelling.
    (public_id(style, number) == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLES: [IdStyle; 7] = [
        IdStyle::X,
        IdStyle::Did,
        IdStyle::Integer,
        IdStyle::Github,
        IdStyle::Snowflake,
        IdStyle::Flake,
        IdStyle::Ulid,
    ];

    #[test]
    fn every_public_id_leads_back_to_its_user() {
        for style in STYLES {
            for number in (0..5_000).chain([1 << 33, (1 << 35) + 12345]) {
                let id = public_id(style, number);
                assert_eq!(number_of(style, &id), Some(number), "{style:?} {id}");
            }
        }
    }

    #[test]
    fn the_rank_of_a_user_is_the_place_of_its_id() {
        for style in STYLES {
            let mut ranked: Vec<_> = (1..2_000).map(|n| (style.rank(n), public_id(style, n))).collect();
            ranked.sort_unstable();
            let ids = ranked.iter().map(|(_, id)| id);
            if matches!(style, IdStyle::Integer | IdStyle::Github) {
                assert!(ids.map(|id| id.parse::<u64>().unwrap()).is_sorted(), "{style:?}");
            } else {
                assert!(ids.is_sorted(), "{style:?}");
            }
        }
    }

    #[test]
    fn ids_have_the_shape_of_their_platform() {
        assert_eq!(public_id(IdStyle::Snowflake, 7).len(), 18);
        assert_eq!(public_id(IdStyle::Flake, 7).len(), 18);
        assert_eq!(public_id(IdStyle::Ulid, 7).len(), 26);
        assert!(public_id(IdStyle::Ulid, 7).parse::<u128>().is_err());
        assert!(public_id(IdStyle::Github, u64::from(u32::MAX)).len() <= 11);
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
