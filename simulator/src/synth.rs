//! Profiles made up from a user's number: nothing about an ordinary user is stored.
//!
//! Bios carry what real ones do (quotes, line breaks, other scripts, emoji), for a client's parser must survive them.

use std::fmt::Write as _;

use crate::{ids::mix, world::Platform};

const FIRST: [&str; 32] = [
    "ada", "amir", "ana", "bao", "bela", "chidi", "clara", "dario", "dewi", "elif", "emre", "fatou", "finn",
    "gita", "hana", "igor", "ines", "jomo", "kaito", "lena", "liam", "maya", "mira", "noor", "omar", "petra",
    "quinn", "rosa", "sven", "tara", "yuki", "zoe",
];

const NAMES: [&str; 16] = [
    "Ada Okafor",
    "Amir Haddad",
    "María José",
    "Bảo Nguyễn",
    "Béla Kovács",
    "Clara \"CJ\" Jones",
    "Dario",
    "디위",
    "Elif Yılmaz",
    "山田 花",
    "Игорь Петров",
    "Inês Duarte",
    "Liam O'Neill",
    "نور",
    "Zoë 🌱",
    "Quinn & Co.",
];

const BIOS: [&str; 12] = [
    "",
    "Coffee, code, cats.",
    "Writing about the sea \u{1F30A}",
    "line one\nline two",
    "She said \"hello\" \\o/",
    "Data engineer. Opinions mine.",
    "日本語とRust",
    "Photographer in training",
    "مرحبا بالعالم",
    "Building things that last",
    "\u{1F469}\u{200D}\u{1F52C} science \u{1F52D}",
    "https://example.org/me",
];

const PLACES: [&str; 10] = [
    "",
    "Lisbon",
    "Nairobi",
    "São Paulo",
    "Kraków",
    "Portland, OR",
    "東京",
    "Accra",
    "",
    "somewhere, \"online\"",
];

/// Users registered in the ten years before this, at whole hours from it.
const NEWEST_ACCOUNT_MS: u64 = 1_750_000_000_000;
const TEN_YEARS_HOURS: u64 = 87_660;

/// What the platforms show about a user, before anything an operator changed.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub(crate) handle: String,
    pub(crate) name: &'static str,
    pub(crate) bio: &'static str,
    pub(crate) location: &'static str,
    pub(crate) created_ms: u64,
    pub(crate) followers: u64,
    pub(crate) following: u64,
    pub(crate) posts: u64,
    pub(crate) verified: bool,
    pub(crate) protected: bool,
}

/// The profile of user `number`; the same for the same seed.
pub(crate) fn profile(seed: u64, platform: Platform, number: u64) -> Profile {
    let hash = mix(seed, number);
    Profile {
        handle: handle(platform, number),
        name: pick(&NAMES, hash),
        bio: pick(&BIOS, hash >> 8),
        location: pick(&PLACES, hash >> 16),
        created_ms: NEWEST_ACCOUNT_MS - (hash >> 20) % TEN_YEARS_HOURS * 3_600_000,
        // A heavy tail: most have a few dozen, some have tens of thousands.
        followers: 1 << ((hash >> 24) % 16),
        following: (hash >> 28) % 2_000,
        posts: (hash >> 32) % 30_000,
        verified: (hash >> 40).is_multiple_of(23),
        protected: (hash >> 48).is_multiple_of(17),
    }
}

/// The made-up handle of user `number`; it carries the number, so that a handle leads back to its user.
pub(crate) fn handle(platform: Platform, number: u64) -> String {
    let first = pick(&FIRST, mix(0, number));
    let mut out = String::with_capacity(24);
    out.push_str(first);
    out.push(separator(platform));
    base36(number, &mut out);
    if platform == Platform::Bluesky {
        out.push_str(".bsky.social");
    }
    out
}

/// The user number inside a made-up handle; the caller checks that the user exists.
pub(crate) fn number_of_handle(platform: Platform, text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let local = match platform {
        Platform::Bluesky => lower.strip_suffix(".bsky.social")?,
        Platform::X | Platform::Gitea => &lower,
    };
    let (_, digits) = local.rsplit_once(separator(platform))?;
    let number = u64::from_str_radix(digits, 36).ok()?;
    (handle(platform, number) == lower).then_some(number)
}

fn separator(platform: Platform) -> char {
    match platform {
        Platform::X => '_',
        Platform::Bluesky | Platform::Gitea => '-',
    }
}

fn base36(number: u64, out: &mut String) {
    if number >= 36 {
        base36(number / 36, out);
    }
    let digit = u32::try_from(number % 36)
        .ok()
        .and_then(|digit| char::from_digit(digit, 36));
    // `write_char` cannot fail on a String.
    let _ = out.write_char(digit.unwrap_or('0'));
}

fn pick<T: Copy + Default, const N: usize>(table: &[T; N], hash: u64) -> T {
    let index = usize::try_from(hash & 0xFFFF).unwrap_or(0) % N;
    table.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_leads_back_to_its_user_and_fits_the_platform() {
        for platform in Platform::ALL {
            for number in (0..2_000).chain([u64::from(u32::MAX)]) {
                let handle = handle(platform, number);
                assert_eq!(number_of_handle(platform, &handle.to_uppercase()), Some(number));
                assert!(platform != Platform::X || handle.len() <= 15, "{handle}");
            }
        }
    }

    #[test]
    fn no_two_users_share_a_handle() {
        let handles: std::collections::BTreeSet<_> = (0..10_000).map(|n| handle(Platform::X, n)).collect();
        assert_eq!(handles.len(), 10_000);
    }
}
