//! X's user object, in the fields that were asked for.

use crate::{
    answer::{Answer, Turn},
    config::NameSet,
    ids::{mix, public_id},
    json::Object,
    population::Population,
    synth,
    world::{Platform, timestamp},
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

/// The optional fields of this request.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    asked: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    /// Reads `user.fields`; an unknown name is refused like on the platform.
    pub(super) fn read(turn: &'a Turn<'_>) -> Result<Self, Answer> {
        let Some(text) = turn.ask.query("user.fields") else {
            return Ok(Self::default());
        };
        let asked: Vec<&str> = text.split(',').filter(|name| !name.is_empty()).collect();
        let extra = ["subscribes_to_you", "verified_followers_count"];
        match asked
            .iter()
            .find(|name| !KNOWN.contains(name) && !extra.contains(name))
        {
            None => Ok(Self { asked }),
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
    let made_up = synth::profile(people.seed, Platform::X, user);
    let overlay = people.overlays.get(&user);
    let mut object = Object::open(out);
    object.quoted("id", public_id(Platform::X, user));
    object.text(
        "name",
        overlay
            .and_then(|known| known.name.as_deref())
            .unwrap_or(made_up.name),
    );
    let renamed = overlay.and_then(|known| known.handle.as_deref());
    object.text("username", renamed.unwrap_or(&made_up.handle));
    if fields.has("created_at") {
        let created_ms = overlay
            .and_then(|known| known.created_ms)
            .unwrap_or(made_up.created_ms);
        object.quoted("created_at", format_args!("{:.3}", timestamp(created_ms)));
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
    if fields.has("url") {
        object.text("url", "");
    }
    if fields.has("public_metrics") {
        let live = people
            .accounts
            .get(&user)
            .and_then(|account| u64::try_from(account.edges.len()).ok());
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
    metrics.bare("followers_count", followers);
    metrics.bare("following_count", made_up.following);
    let posts = match names {
        NameSet::Tweet => "tweet_count",
        NameSet::Post => "post_count",
    };
    metrics.bare(posts, made_up.posts);
    metrics.bare("listed_count", made_up.following / 40);
    metrics.bare("like_count", made_up.posts / 3);
    metrics.bare("media_count", made_up.posts / 20);
    metrics.close();
}
