//! An answer of a platform before its body is understood: status, limits, and the failures all share.

use bytes::Bytes;
use followlytics_core::{
    retry::{Class, Failure},
    scan::window::Told,
};
use http::{HeaderMap, Response, StatusCode};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// Reset values below this count seconds from now, above it since 1970 (RFC drafts and practice differ).
const RELATIVE_BELOW: i64 = 1_000_000_000;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What its headers say of the window.
    pub told: Option<Told>,
    retry_after_ms: Option<i64>,
}

impl Answer {
    /// Reads what the headers say; `limits` is what the names of each kind of rate-limit headers begin with, `now` when the
    /// answer came.
    pub fn read(response: Response<Bytes>, limits: &[&str], now: Timestamp) -> Self {
        let (parts, body) = response.into_parts();
        let theirs = their_now(&parts.headers, now);
        // A day's window counts as soon as it has less left than the short one.
        let told = limits
            .iter()
            .filter_map(|limits| told(&parts.headers, limits, theirs))
            .map(|told| told.moved(now.duration_since(theirs)))
            .min_by_key(|told| told.remaining.unwrap_or(i64::MAX));
        let retry_after_ms = retry_after_ms(&parts.headers, theirs);
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
            told,
            retry_after_ms,
        }
    }

    /// Whether it says how long to wait.
    pub(crate) const fn has_retry_after(&self) -> bool {
        self.retry_after_ms.is_some()
    }

    /// A failure with what the headers said.
    pub fn failure(&self, class: Class, message: impl Into<String>) -> Failure {
        Failure {
            class,
            message: message.into(),
            told: self.told,
            retry_after_ms: self.retry_after_ms,
        }
    }

    /// The failures that every platform's status says in the same way; `None` where its body decides.
    pub fn common_failure(&self) -> Option<Failure> {
        let status = self.status.as_u16();
        let (class, message) = match status {
            300..=399 => (
                Class::BadRequest,
                format!(
                    "the platform answered with a redirect ({status}): the account was renamed, or the base URL is not the server's own"
                ),
            ),
            501 => (
                Class::BadRequest,
                "the server does not know this request (501): check the base URL".to_owned(),
            ),
            // A place with a long cursor; what stands before a platform allows less than the platform itself.
            414 | 431 => (
                Class::CursorUnusable,
                format!("the platform, or what stands before it, refuses the request as too long ({status})"),
            ),
            408 => (
                Class::ServerError,
                "the platform gave the request up (408)".to_owned(),
            ),
            500..=599 => (Class::ServerError, format!("the platform failed ({status})")),
            _ => return None,
        };
        Some(self.failure(class, message))
    }

    /// A failure no table knows.
    pub fn unknown(&self) -> Failure {
        let message = format!(
            "the platform answered with {} and nothing that explains it",
            self.status.as_u16()
        );
        self.failure(Class::Unknown, message)
    }

    /// An answer that says success and cannot be read.
    pub fn malformed(&self, what: &str) -> Failure {
        self.failure(
            Class::Malformed,
            format!("the platform's answer cannot be read: {what}"),
        )
    }
}

/// The platform's clock when it answered, by its `Date`: whole seconds, cut off. So its instants are never read as earlier
/// than they are, and at most a second and the way of the answer later.
fn their_now(headers: &HeaderMap, now: Timestamp) -> Timestamp {
    let date = text(headers, http::header::DATE.as_str()).and_then(|date| rfc2822::parse(date).ok());
    date.map_or(now, |date| date.timestamp())
}

/// What the headers said of the window: `-limit`, `-remaining`, and `-reset-ms` (milliseconds since 1970) or
/// `-reset` (seconds, or a date as in RFC 3339).
fn told(headers: &HeaderMap, limits: &str, now: Timestamp) -> Option<Told> {
    let number = |name: &str| integer(headers, &format!("{limits}-{name}"));
    let precise = number("reset-ms").and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let dated = || {
        text(headers, &format!("{limits}-reset"))?
            .parse::<Timestamp>()
            .ok()
    };
    let counted_to = || match number("reset")? {
        seconds @ 0..RELATIVE_BELOW => now.checked_add(SignedDuration::from_secs(seconds)).ok(),
        seconds => Timestamp::from_second(seconds).ok(),
    };
    let reset = precise.or_else(counted_to).or_else(dated)?;
    let counted = |name| number(name).filter(|count| *count >= 0);
    Some(Told {
        limit: counted("limit"),
        remaining: counted("remaining"),
        reset,
    })
}

/// `Retry-After` in its two forms, in milliseconds from now.
fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return (seconds >= 0).then(|| seconds.saturating_mul(1000));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    i64::try_from(at.duration_since(now).as_millis())
        .ok()
        .map(|ms| ms.max(0))
}

/// A header that holds an integer.
pub(crate) fn integer(headers: &HeaderMap, name: &str) -> Option<i64> {
    text(headers, name)?.parse().ok()
}

/// A header that holds text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut response = Response::builder().status(429);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Answer::read(
            response.body(Bytes::new()).unwrap(),
            &["x-rate-limit", "x-app-limit-24hour"],
            at(1_700_000_000_000),
        )
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn the_window_is_read_from_the_headers() {
        let seconds = [
            ("x-rate-limit-limit", "300"),
            ("x-rate-limit-remaining", "0"),
            ("x-rate-limit-reset", "1700000900"),
        ];
        let told = answer(&seconds).told.unwrap();
        assert_eq!(
            (told.limit, told.remaining, told.reset),
            (Some(300), Some(0), at(1_700_000_900_000))
        );
        let precise = [
            ("x-rate-limit-reset", "1700000900"),
            ("x-rate-limit-reset-ms", "1700000000250"),
        ];
        assert_eq!(answer(&precise).told.unwrap().reset, at(1_700_000_000_250));
        assert_eq!(
            answer(&[("x-rate-limit-reset", "60")]).told.unwrap().reset,
            at(1_700_000_060_000)
        );
        assert_eq!(
            answer(&[("x-rate-limit-limit", "300")]).told,
            None,
            "without a reset nothing is known"
        );
        assert_eq!(
            answer(&[("x-rate-limit-reset", "2023-11-14T22:15:00.000001Z")])
                .told
                .unwrap()
                .reset,
            Timestamp::from_microsecond(1_700_000_100_000_001).unwrap()
        );
        assert_eq!(answer(&[("x-rate-limit-reset", "soon")]).told, None);
        assert_eq!(
            answer(&[("x-rate-limit-reset", "-9223372036854775808")]).told,
            None
        );
    }

    #[test]
    fn instants_are_by_the_platforms_own_clock() {
        // Now is 22:13:20; the platform says a minute later, and its window ends 90 s after that.
        let reset = |date| {
            let headers = [
                ("date", date),
                ("x-rate-limit-reset", "1700000150"),
                ("retry-after", "Tue, 14 Nov 2023 22:14:27 GMT"),
            ];
            let answer = answer(&headers);
            (answer.told.unwrap().reset, answer.retry_after_ms)
        };
        assert_eq!(
            reset("Tue, 14 Nov 2023 22:14:20 GMT"),
            (at(1_700_000_090_000), Some(7000))
        );
        assert_eq!(
            reset("Tue, 14 Nov 2023 22:13:21 GMT"),
            (at(1_700_000_149_000), Some(66_000))
        );
        let relative = [
            ("date", "Tue, 14 Nov 2023 22:14:20 GMT"),
            ("x-rate-limit-reset", "60"),
        ];
        assert_eq!(answer(&relative).told.unwrap().reset, at(1_700_000_060_000));
    }

    #[test]
    fn a_request_that_is_too_long_is_about_its_place() {
        for status in [414, 431] {
            let response = Response::builder().status(status).body(Bytes::new()).unwrap();
            let failure = Answer::read(response, &[], at(0)).common_failure().unwrap();
            assert_eq!(failure.class, Class::CursorUnusable, "{status}");
        }
    }

    #[test]
    fn the_scarcest_of_several_windows_counts() {
        let both = |quarter, day| {
            let headers = [
                ("x-rate-limit-limit", "300"),
                ("x-rate-limit-remaining", quarter),
                ("x-rate-limit-reset", "1700000900"),
                ("x-app-limit-24hour-limit", "10000"),
                ("x-app-limit-24hour-remaining", day),
                ("x-app-limit-24hour-reset", "1700086400"),
            ];
            let told = answer(&headers).told.unwrap();
            (told.limit.unwrap(), told.remaining.unwrap(), told.reset)
        };
        assert_eq!(both("7", "9000"), (300, 7, at(1_700_000_900_000)));
        assert_eq!(both("299", "0"), (10_000, 0, at(1_700_086_400_000)));
        assert_eq!(both("5", "5").0, 300, "the shorter one of two alike");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value| answer(&[("retry-after", value)]).retry_after_ms;
        assert_eq!(after("7"), Some(7000));
        assert_eq!(after("Tue, 14 Nov 2023 22:13:30 GMT"), Some(10_000));
        assert_eq!(after("Tue, 14 Nov 2023 22:13:10 GMT"), Some(0), "the past is now");
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
        assert_eq!(after("9223372036854775807"), Some(i64::MAX));
    }
}
