//! The `Link` header (RFC 8288), of which only queries are used: its hosts are whatever a server believes to be
//! called, and nothing is ever sent there.

use http::{HeaderMap, header};

/// Whether there is any link.
pub(crate) fn any(headers: &HeaderMap) -> bool {
    headers.contains_key(header::LINK)
}

/// Returns the query of the first link of this relation, without its question mark; `None` without such a link, and an
/// empty one where it cannot be sent.
pub(crate) fn query<'a>(headers: &'a HeaderMap, relation: &str) -> Option<&'a str> {
    let target = headers
        .get_all(header::LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split('<').skip(1))
        .filter_map(|link| link.split_once('>'))
        .find(|(_, parameters)| is(parameters, relation))
        .map(|(target, _)| target)?;
    let (_, query) = target.split_once('?').unwrap_or_default();
    let query = query.split('#').next()?;
    let good = query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte));
    Some(if good { query } else { "" })
}

fn is(parameters: &str, relation: &str) -> bool {
    parameters
        .split(';')
        .filter_map(|parameter| parameter.trim().trim_end_matches(',').split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"))
        .flat_map(|(_, value)| value.trim().trim_matches('"').split_ascii_whitespace())
        .any(|found| found.eq_ignore_ascii_case(relation))
}

/// A parameter of a query, as it stands there.
pub(crate) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::LINK, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_links_query_is_found_by_its_relation() {
        let mastodon = headers(&[
            "<https://h/api/v1/accounts/1/followers?limit=80&max_id=7163058>; rel=\"next\", <https://h/api/v1/accounts/1/followers?limit=80&since_id=7275607>; rel=\"prev\"",
        ]);
        assert_eq!(query(&mastodon, "next"), Some("limit=80&max_id=7163058"));
        assert_eq!(query(&mastodon, "prev"), Some("limit=80&since_id=7275607"));
        assert_eq!(query(&mastodon, "last"), None);
        let apart = headers(&[
            "<http://h/?a=1,2#x>; title=\"a\"; REL=prev",
            "</p?page=3>;rel=\"last next\"",
        ]);
        assert_eq!(
            (query(&apart, "prev"), query(&apart, "next")),
            (Some("a=1,2"), Some("page=3"))
        );
        for nothing in ["", "next", "<http://h/?a=1>", "<http://h/?a=1; rel=next"] {
            assert_eq!(query(&headers(&[nothing]), "next"), None, "{nothing}");
        }
        for unusable in ["<http://h>; rel=next", "<?a b>; rel=next"] {
            assert_eq!(query(&headers(&[unusable]), "next"), Some(""), "{unusable}");
        }
    }

    #[test]
    fn a_parameter_is_found_by_its_whole_name() {
        assert_eq!(parameter("limit=80&max_id=7&x", "max_id"), Some("7"));
        assert_eq!(parameter("xmax_id=7&max_ids=8", "max_id"), None);
    }

    proptest! {
        #[test]
        fn any_header_has_a_link_or_none(value in "[ -~]{0,120}") {
            let headers = headers(&[&value]);
            let found = query(&headers, "next");
            prop_assert!(found.is_none_or(|query| !query.contains([' ', '#', '<', '>'])));
        }
    }
}
