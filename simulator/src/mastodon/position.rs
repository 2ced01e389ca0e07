//! The positions of `Link` headers: ids of follows, in the style of the server's other ids.

use crate::{
    config::MastodonIds,
    ids::{flake, of_flake, of_ulid, ulid},
};

/// The text of a follow's id.
pub(super) fn encode(ids: MastodonIds, serial: u64) -> String {
    match ids {
        MastodonIds::Snowflake => serial.to_string(),
        MastodonIds::Flake => flake(serial),
        MastodonIds::Ulid => ulid(serial),
    }
}

/// The follow's id behind a text; `None` if it cannot be one.
///
/// Mastodon reads leading digits and takes anything else for 0; the others refuse.
pub(super) fn decode(ids: MastodonIds, text: &str) -> Option<u64> {
    match ids {
        MastodonIds::Snowflake => {
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            Some(
                digits
                    .parse()
                    .unwrap_or(if digits.is_empty() { 0 } else { u64::MAX }),
            )
        }
        MastodonIds::Flake => of_flake(text),
        MastodonIds::Ulid => of_ulid(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_leads_back_to_its_follow_and_sorts_as_it() {
        for ids in [MastodonIds::Snowflake, MastodonIds::Flake, MastodonIds::Ulid] {
            let serials = [1_000_000, 1_000_007, 7_486_869, 9_999_999];
            let texts: Vec<_> = serials.iter().map(|serial| encode(ids, *serial)).collect();
            assert!(texts.is_sorted(), "{texts:?}");
            let back: Vec<_> = texts.iter().map(|text| decode(ids, text)).collect();
            assert_eq!(back, serials.map(Some));
        }
    }

    #[test]
    fn what_is_no_id_is_zero_or_refused() {
        assert_eq!(decode(MastodonIds::Snowflake, "12ab"), Some(12));
        assert_eq!(decode(MastodonIds::Snowflake, "ab"), Some(0));
        assert_eq!(decode(MastodonIds::Flake, "12"), None);
        assert_eq!(decode(MastodonIds::Ulid, "zz"), None);
    }
}
