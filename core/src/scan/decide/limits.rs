//! The limits that a Credential states.

use followlytics_crds::RateLimit;

use crate::{account::Platform, platform::Family, scan::window::Rule};

/// The limits that a Credential of this platform states, as the ledger keeps them.
///
/// # Errors
/// Which limit cannot be kept and what to write instead; the text begins with the name of the field.
pub fn stated(platform: Platform, limits: &[RateLimit]) -> Result<Vec<Rule>, String> {
    let mut rules: Vec<Rule> = Vec::with_capacity(limits.len());
    for limit in limits {
        let rule = rule(platform, limit)?;
        // Requests are counted by family and window: of two limits that share both, one would not hold.
        let is_known = |known: &Rule| (known.family, known.window_ms) == (rule.family, rule.window_ms);
        if rules.iter().any(is_known) {
            return Err(format!(
                "rateLimits: {} is limited twice over {} ms; leave the stricter of the two",
                rule.family, rule.window_ms
            ));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn rule(platform: Platform, limit: &RateLimit) -> Result<Rule, String> {
    let family: Family = limit
        .family
        .parse()
        .ok()
        .filter(|family| *family != Family::Server)
        .ok_or_else(|| {
            format!(
                "rateLimits: family {:?} is not known; known are lookup and followers",
                limit.family
            )
        })?;
    if platform.counted_as(family) != family {
        return Err(format!(
            "rateLimits: {platform} counts look-ups and pages together: state a limit of the family followers for \
             both, not of {family}"
        ));
    }
    Ok(Rule::new(family, limit.requests, limit.window_milliseconds).stated())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(stated: &[(&str, i64, i64)]) -> Vec<RateLimit> {
        let limit = |(family, requests, window_milliseconds): &(&str, i64, i64)| RateLimit {
            family: (*family).to_owned(),
            requests: *requests,
            window_milliseconds: *window_milliseconds,
        };
        stated.iter().map(limit).collect()
    }

    #[test]
    fn each_window_has_one_limit() {
        let twice = limits(&[("followers", 300, 900_000), ("followers", 15, 900_000)]);
        let error = stated(Platform::X, &twice).unwrap_err();
        assert!(error.contains("limited twice over 900000 ms"), "{error}");
        let apart = limits(&[
            ("followers", 300, 900_000),
            ("followers", 5_000, 86_400_000),
            ("lookup", 300, 900_000),
        ]);
        let rules = stated(Platform::X, &apart).unwrap();
        assert!(rules.len() == 3 && rules.iter().all(|rule| rule.is_stated));
    }

    #[test]
    fn a_limit_that_nothing_counts_is_refused() {
        for (platform, family, says) in [
            (Platform::X, "tweets", "not known"),
            (Platform::X, "server", "not known"),
            (Platform::Bluesky, "lookup", "followers for both"),
        ] {
            let error = stated(platform, &limits(&[(family, 5, 1_000)])).unwrap_err();
            assert!(
                error.starts_with("rateLimits: ") && error.contains(says),
                "{error}"
            );
        }
    }
}
