//! X's user object, in the fields that were asked for.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    answer::{Answer, Turn},
    config::NameSet,
    ids::{mix, push_id},
    json::Object,
    population::Population,
    synth,
};

use super::errors;

/// Every field a client may ask for; the ones without a value here are accepted and absent, as for most users.
const KNOWN: [&str; 27] = [
    "affiliation",
    "confirmed_email",
    "connection_status",
    "created_at",
    "description",
    "entities",
    "id",
    "is_identity_verified",
    "location",
    "most_recent_post_id",
    "most_recent_tweet_id",
    "name",
    "parody",
    "pinned_post_id",
    "pinned_tweet_id",
    "profile_banner_url",
    "profile_image_url",
    "protected",
    "public_metrics",
    "receives_your_dm",
    "subscription",
    "subscription_type",
    "url",
    "username",
    "verified",
    "verified_type",
    "withheld",
];

const PINNED_TWEET: &str = "pinned_tweet_id";
const PINNED_POST: &str = "pinned_post_id";

/// The optional fields of this request.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    asked: Vec<&'a str>,
    /// Whether pinned posts are named, by field or by expansion.
    pinned: bool,
}

impl<'a> Fields<'a> {
    /// Reads `user.fields`; an unknown name is refused like on the platform.
    pub(super) fn read(turn: &'a Turn<'_>) -> Result<Self, Answer> {
        let text = turn.ask.query("user.fields").unwrap_or_default();
        let asked: Vec<&str> = text.split(',').filter(|name| !name.is_empty()).collect();
        let extra = ["subscribes_to_you", "verified_followers_count"];
        match asked
            .iter()
            .find(|name| !KNOWN.contains(name) && !extra.contains(name))
        {
            None => {
                let expanded = turn.ask.query("expansions").unwrap_or_default();
                let wanted =
                    |name: &str| asked.contains(&name) || expanded.split(',').any(|other| other == name);
                let pinned = wanted(PINNED_POST) || wanted(PINNED_TWEET);
                Ok(Self { asked, pinned })
            }
            Some(name) => {
                let known = KNOWN.join(",");
                let message =
                    format!("The `user.fields` query parameter value [{name}] is not one of [{known}]");
                Err(errors::invalid_parameter("user.fields", name, &message))
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.asked.contains(&name)
    }
}

/// The pinned posts of some users, where the request wants them: what goes under `includes`, and under `errors`.
pub(super) struct Pinned {
    posts: String,
    missing: Vec<Value>,
}

impl Pinned {
    /// `None` if no expansion asks for them; an unknown expansion is refused.
    pub(super) fn read(turn: &Turn<'_>, people: &Population, users: &[u64]) -> Result<Option<Self>, Answer> {
        let asked = turn.ask.query("expansions").unwrap_or_default();
        let known = [
            "affiliation.user_id",
            "most_recent_post_id",
            "most_recent_tweet_id",
            PINNED_POST,
            PINNED_TWEET,
        ];
        let named = || asked.split(',').filter(|name| !name.is_empty());
        if let Some(name) = named().find(|name| !known.contains(name)) {
            let message = format!(
                "The `expansions` query parameter value [{name}] is not one of [{}]",
                known.join(",")
            );
            return Err(errors::invalid_parameter("expansions", name, &message));
        }
        let Some(parameter) = named().find(|name| [PINNED_POST, PINNED_TWEET].contains(name)) else {
            return Ok(None);
        };
        let (mut posts, mut missing) = (String::new(), Vec::new());
        for (post, gone) in users.iter().filter_map(|user| pinned(people, *user)) {
            if gone {
                missing.push(errors::post_not_found(parameter, &post.to_string()));
                continue;
            }
            posts.push_str(if posts.is_empty() { "" } else { "," });
            let history = match turn.config.x.names {
                NameSet::Tweet => "edit_history_tweet_ids",
                NameSet::Post => "edit_history_post_ids",
            };
            // Writing into a String cannot fail.
            let _ = write!(
                posts,
                r#"{{"id":"{post}","text":"pinned","{history}":["{post}"]}}"#
            );
        }
        Ok(Some(Self { posts, missing }))
    }

    /// Appends the members they make, each with a comma before it.
    pub(super) fn push(&self, out: &mut String, names: NameSet) {
        if !self.posts.is_empty() {
            let member = match names {
                NameSet::Tweet => "tweets",
                NameSet::Post => "posts",
            };
            let _ = write!(out, r#","includes":{{"{member}":[{}]}}"#, self.posts);
        }
        if !self.missing.is_empty() {
            let _ = write!(out, ",\"errors\":{}", Value::from(self.missing.clone()));
        }
    }
}

/// The post a user has pinned, if any, and whether it is gone.
fn pinned(people: &Population, user: u64) -> Option<(u64, bool)> {
    let hash = mix(people.seed ^ 0x91_77, user);
    let post = 1_100_000_000_000_000_000 + hash % 800_000_000_000_000_000;
    hash.is_multiple_of(5).then_some((post, hash.is_multiple_of(15)))
}

/// Refuses query parameters the route does not have.
pub(super) fn check_parameters(turn: &Turn<'_>, known: &[&str]) -> Result<(), Answer> {
    match turn
        .ask
        .wire
        .query
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        None => Ok(()),
        Some((name, value)) => {
            let message = format!("The query parameter [{name}] is not one of [{}]", known.join(","));
            Err(errors::invalid_parameter(name, value, &message))
        }
    }
}

/// Appends one user.
pub(super) fn push_user(
    out: &mut String,
    people: &Population,
    user: u64,
    fields: &Fields<'_>,
    names: NameSet,
) {
    let made_up = synth::profile(people.seed, user);
    let overlay = people.overlays.get(&user);
    let mut object = Object::open(out);
    let id = object.key("id");
    id.push('"');
    push_id(id, people.ids, user);
    id.push('"');
    object.text(
        "name",
        overlay
            .and_then(|known| known.name.as_deref())
            .unwrap_or(made_up.name),
    );
    object.text("username", &people.handle(user));
    if fields.has("created_at") {
        let created_ms = overlay
            .and_then(|known| known.created_ms)
            .unwrap_or(made_up.created_ms);
        object.time("created_at", created_ms, true);
    }
    if fields.has("description") {
        let description = overlay
            .and_then(|known| known.description.as_deref())
            .unwrap_or(made_up.bio);
        object.text("description", description);
    }
    if fields.has("location") && !made_up.location.is_empty() {
        object.text("location", made_up.location);
    }
    if fields.has("protected") {
        object.bare(
            "protected",
            overlay
                .and_then(|known| known.protected)
                .unwrap_or(made_up.protected),
        );
    }
    if fields.has("verified") {
        object.bare("verified", made_up.verified);
    }
    if fields.has("verified_type") {
        object.text("verified_type", if made_up.verified { "blue" } else { "none" });
    }
    if fields.has("profile_image_url") {
        let file = mix(people.seed, user) >> 20;
        object.quoted(
            "profile_image_url",
            format_args!("https://pbs.twimg.com/profile_images/{file}/photo_normal.jpg"),
        );
    }
    if let Some((post, _)) = pinned(people, user).filter(|_| fields.pinned) {
        let key = match names {
            NameSet::Tweet => PINNED_TWEET,
            NameSet::Post => PINNED_POST,
        };
        object.quoted(key, post);
    }
    if fields.has("url") {
        object.text("url", "");
    }
    if fields.has("public_metrics") {
        let live = people.accounts.get(&user).map(|account| account.edges.len());
        push_metrics(
            object.key("public_metrics"),
            &made_up,
            live.unwrap_or(made_up.followers),
            names,
        );
    }
    object.close();
}

fn push_metrics(out: &mut String, made_up: &synth::Profile, followers: u64, names: NameSet) {
    let mut metrics = Object::open(out);
    metrics.number("followers_count", followers);
    metrics.number("following_count", made_up.following);
    let posts = match names {
        NameSet::Tweet => "tweet_count",
        NameSet::Post => "post_count",
    };
    metrics.number(posts, made_up.posts);
    metrics.number("listed_count", made_up.following / 40);
    metrics.number("like_count", made_up.posts / 3);
    metrics.number("media_count", made_up.posts / 20);
    metrics.close();
}
