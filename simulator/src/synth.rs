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

const HOMES: [&str; 4] = ["", "@fedi.example", "@birds.example", "@social.example"];

/// Users registered in the ten years before this, at whole hours from it.
const NEWEST_ACCOUNT_MS: u64 = 1_750_000_000_000;
const TEN_YEARS_HOURS: u64 = 87_660;

/// What the platforms show about a user, before anything an operator changed.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
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
pub(crate) fn profile(seed: u64, number: u64) -> Profile {
    let hash = mix(seed, number);
    Profile {
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

/// The made-up handle of user `number` after so many renames; it carries the number, so that a handle leads back to
/// its user. After 32 of them the first name comes again.
pub(crate) fn handle(platform: Platform, number: u64, generation: u64) -> String {
    let first = pick(&FIRST, (mix(0, number) & 31) + generation % 32);
    let mut out = String::with_capacity(24);
    out.push_str(first);
    out.push(separator(platform));
    base36(number, &mut out);
    match platform {
        Platform::Bluesky => out.push_str(".bsky.social"),
        Platform::Mastodon => out.push_str(home(number)),
        Platform::X | Platform::Gitea | Platform::Github => {}
    }
    out
}

/// Where a user of the fediverse lives: a quarter on the server that is asked, the rest elsewhere.
fn home(number: u64) -> &'static str {
    pick(&HOMES, mix(0xF3D1, number))
}

/// The user number inside a made-up handle, and the renames before it; the caller checks that the user exists.
pub(crate) fn number_of_handle(platform: Platform, text: &str) -> Option<(u64, u64)> {
    let lower = text.to_ascii_lowercase();
    let local = match platform {
        Platform::Bluesky => lower.strip_suffix(".bsky.social")?,
        Platform::Mastodon => lower.split('@').next()?,
        Platform::X | Platform::Gitea | Platform::Github => &lower,
    };
    let (_, digits) = local.rsplit_once(separator(platform))?;
    let number = u64::from_str_radix(digits, 36).ok()?;
    let generation = (0..32).find(|generation| handle(platform, number, *generation) == lower)?;
    Some((number, generation))
}

fn separator(platform: Platform) -> char {
    match platform {
        Platform::X | Platform::Mastodon => '_',
        Platform::Bluesky | Platform::Gitea | Platform::Github => '-',
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
                let handle = handle(platform, number, number % 32);
                let back = number_of_handle(platform, &handle.to_uppercase());
                assert_eq!(back, Some((number, number % 32)));
                assert!(platform != Platform::X || handle.len() <= 15, "{handle}");
            }
        }
    }

    #[test]
    fn no_two_users_share_a_handle() {
        let handles: std::collections::BTreeSet<_> =
            (0..10_000).map(|n| handle(Platform::X, n, n % 3)).collect();
        assert_eq!(handles.len(), 10_000);
    }
}
