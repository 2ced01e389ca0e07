//! X's user object of the web, in its shape since 2025 and in the one before.

use followlytics_core::{row::Row, scan::plan::AccountReport};
use followlytics_platforms::rows::text;
use jiff::{Timestamp, fmt::strtime};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Broken;

/// `Mon Jan 10 02:06:34 +0000 2011`.
const CREATED: &str = "%a %b %d %H:%M:%S %z %Y";

/// A user: what is not in one place is in the other, so both shapes are one type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    rest_id: Option<String>,
    #[serde(deserialize_with = "or_default")]
    core: Core,
    #[serde(deserialize_with = "or_default")]
    legacy: Legacy,
    #[serde(deserialize_with = "or_default")]
    profile_bio: Bio,
    #[serde(deserialize_with = "or_default")]
    location: Located,
    #[serde(deserialize_with = "or_default")]
    relationship_counts: Relations,
    #[serde(deserialize_with = "or_default")]
    tweet_counts: Tweets,
    #[serde(deserialize_with = "or_default")]
    privacy: Privacy,
    #[serde(deserialize_with = "or_default")]
    verification: Verification,
    is_blue_verified: Option<bool>,
}

/// What is null is as good as left out.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Core {
    created_at: Option<String>,
    name: Option<String>,
    screen_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Legacy {
    created_at: Option<String>,
    name: Option<String>,
    screen_name: Option<String>,
    description: Option<String>,
    location: Option<String>,
    followers_count: Option<i64>,
    friends_count: Option<i64>,
    statuses_count: Option<i64>,
    protected: Option<bool>,
    verified: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Bio {
    description: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Located {
    location: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Relations {
    followers: Option<i64>,
    following: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tweets {
    tweets: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Privacy {
    protected: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Verification {
    verified: Option<bool>,
}

impl User {
    pub(super) fn row(self) -> Result<Row, &'static str> {
        let id = self.rest_id.ok_or("the user has no rest_id")?;
        check_id(&id)?;
        let handle = self
            .core
            .screen_name
            .or(self.legacy.screen_name)
            .ok_or("the user has no screen_name")?;
        // The API calls both verified; the web tells them apart.
        let verified = [
            self.verification.verified,
            self.legacy.verified,
            self.is_blue_verified,
        ];
        let known = verified.iter().any(Option::is_some);
        Ok(Row {
            id,
            handle,
            name: text(self.core.name.or(self.legacy.name)),
            bio: text(self.profile_bio.description.or(self.legacy.description)),
            location: text(self.location.location.or(self.legacy.location)),
            followers: self.relationship_counts.followers.or(self.legacy.followers_count),
            following: self.relationship_counts.following.or(self.legacy.friends_count),
            posts: self.tweet_counts.tweets.or(self.legacy.statuses_count),
            verified: known.then(|| verified.contains(&Some(true))),
            protected: self.privacy.protected.or(self.legacy.protected),
            created: created(self.core.created_at.or(self.legacy.created_at).as_deref()),
        })
    }
}

/// docs.x.com: a user id is 1 to 19 digits.
pub(super) fn check_id(id: &str) -> Result<(), &'static str> {
    if (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err("rest_id is not 1 to 19 digits")
    }
}

fn created(text: Option<&str>) -> Option<Timestamp> {
    strtime::parse(CREATED, text?).ok()?.to_timestamp().ok()
}

/// Whether X withholds the user: such rows are left out of a list, and counted.
pub(super) fn is_unavailable(result: &Value) -> bool {
    match result.get("__typename").and_then(Value::as_str) {
        Some("UserUnavailable") => true,
        Some(_) => false,
        None => result.as_object().is_none_or(serde_json::Map::is_empty),
    }
}

/// What `UserByScreenName` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// An account.
    Account {
        /// What is told of it.
        report: AccountReport,
        /// Whether only followers it approved see its lists.
        protected: bool,
    },
    /// Nobody has this handle.
    Nobody,
    /// The platform suspended it.
    Suspended,
}

/// Reads the answer of `UserByScreenName`; `None` where it has no data, or errors instead of an account.
pub(crate) fn account(body: &Value) -> Option<Result<Found, Broken>> {
    let data = body.get("data")?.as_object()?;
    let has_errors = body
        .get("errors")
        .and_then(Value::as_array)
        .is_some_and(|errors| !errors.is_empty());
    let result = data.get("user").and_then(|user| user.get("result"));
    let found = match result {
        None => Ok(Found::Nobody),
        Some(result) if is_unavailable(result) => {
            let suspended = result.get("reason").and_then(Value::as_str) == Some("Suspended");
            return Some(Ok(if suspended {
                Found::Suspended
            } else {
                Found::Nobody
            }));
        }
        Some(result) => found(result),
    };
    match found {
        Ok(Found::Account { .. }) => Some(found),
        _ if has_errors => None,
        _ => Some(found),
    }
}

fn found(result: &Value) -> Result<Found, Broken> {
    let missing = |what: &str| Broken::new(format!("data.user.result of UserByScreenName has {what}"));
    let user = User::deserialize(result).map_err(|_| missing("fields of the known types"))?;
    let row = user.row().map_err(|_| missing("a rest_id and a screen_name"))?;
    Ok(Found::Account {
        protected: row.protected == Some(true),
        report: AccountReport {
            id: row.id,
            handle: row.handle,
            followers: row.followers.ok_or_else(|| missing("a number of followers"))?,
            created: row.created,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn modern() -> Value {
        json!({
            "__typename": "User", "rest_id": "71", "is_blue_verified": true,
            "core": {"created_at": "Thu Apr 07 21:05:09 +0000 2022", "name": "Ada", "screen_name": "ada_l"},
            "profile_bio": {"description": "engines", "entities": {}}, "location": {"location": ""},
            "relationship_counts": {"followers": 12, "following": 3}, "tweet_counts": {"tweets": 9, "media_tweets": 1},
            "privacy": {"protected": false}, "verification": {"verified": false}
        })
    }

    fn row(value: &Value) -> Result<Row, &'static str> {
        User::deserialize(value).unwrap().row()
    }

    #[test]
    fn both_shapes_are_the_same_row() {
        let legacy = json!({
            "__typename": "User", "rest_id": "71", "is_blue_verified": true,
            "legacy": {"created_at": "Thu Apr 07 21:05:09 +0000 2022", "name": "Ada", "screen_name": "ada_l",
                "description": "engines", "location": "", "followers_count": 12, "friends_count": 3,
                "statuses_count": 9, "protected": false, "verified": false}
        });
        let modern = row(&modern()).unwrap();
        assert_eq!(modern, row(&legacy).unwrap());
        assert_eq!(modern.created.unwrap().to_string(), "2022-04-07T21:05:09Z");
        assert_eq!(
            (modern.verified, modern.location, modern.posts),
            (Some(true), None, Some(9))
        );
    }

    #[test]
    fn a_user_without_id_or_handle_is_no_row() {
        for gone in ["rest_id", "core"] {
            let mut user = modern();
            user.as_object_mut().unwrap().remove(gone);
            assert!(row(&user).is_err(), "{gone}");
        }
        let mut user = modern();
        user["legacy"] = Value::Null;
        assert!(row(&user).is_ok());
        user["rest_id"] = json!("12ab");
        assert_eq!(row(&user), Err("rest_id is not 1 to 19 digits"));
    }

    #[test]
    fn an_account_is_found_suspended_or_nobodys() {
        let of = |result: Value| account(&json!({"data": {"user": {"result": result}}})).unwrap();
        let Ok(Found::Account { report, protected }) = of(modern()) else {
            panic!()
        };
        assert_eq!(
            (report.id.as_str(), report.followers, protected),
            ("71", 12, false)
        );
        let suspended = json!({"__typename": "UserUnavailable", "reason": "Suspended"});
        assert_eq!(of(suspended), Ok(Found::Suspended));
        assert_eq!(account(&json!({"data": {}})), Some(Ok(Found::Nobody)));
        assert_eq!(account(&json!({"errors": []})), None);
        let locked = json!({"errors": [{"code": 326}], "data": {"user": {}}});
        assert_eq!(account(&locked), None, "the error says more");
        let mut changed = modern();
        changed.as_object_mut().unwrap().remove("relationship_counts");
        assert!(of(changed).unwrap_err().0.contains("number of followers"));
    }
}
