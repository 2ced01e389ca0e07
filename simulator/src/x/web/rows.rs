//! A user as GraphQL shows it: in today's members, or under `legacy` as until 2024.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{config::WebShape, ids::mix, population::Population, synth, world::timestamp};

/// Everything both shapes say about a user.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) handle: String,
    pub(super) name: String,
    pub(super) bio: String,
    pub(super) is_verified: bool,
    pub(super) is_protected: bool,
    location: &'static str,
    created_at: String,
    followers: u64,
    following: u64,
    posts: u64,
    picture: String,
}

impl Person {
    pub(super) fn of(people: &Population, user: u64) -> Self {
        let made_up = synth::profile(people.seed, user);
        let overlay = people.overlays.get(&user);
        let text =
            |given: Option<&String>, otherwise: &str| given.map_or(otherwise, String::as_str).to_owned();
        let created_ms = overlay.and_then(|known| known.created_ms);
        let created = timestamp(created_ms.unwrap_or(made_up.created_ms));
        let live = people.accounts.get(&user).map(|account| account.edges.len());
        let file = mix(people.seed, user) >> 20;
        Self {
            id: people.public_id(user),
            handle: people.handle(user).into_owned(),
            name: text(overlay.and_then(|known| known.name.as_ref()), made_up.name),
            bio: text(overlay.and_then(|known| known.description.as_ref()), made_up.bio),
            is_verified: made_up.verified,
            is_protected: overlay
                .and_then(|known| known.protected)
                .unwrap_or(made_up.protected),
            location: made_up.location,
            created_at: created.strftime("%a %b %d %H:%M:%S +0000 %Y").to_string(),
            followers: live.unwrap_or(made_up.followers),
            following: made_up.following,
            posts: made_up.posts,
            picture: format!("https://pbs.twimg.com/profile_images/{file}/photo_normal.jpg"),
        }
    }

    pub(super) fn result(&self, shape: WebShape) -> Value {
        let mut result = json!({
            "__typename": "User",
            "id": STANDARD.encode(format!("User:{}", self.id)),
            "rest_id": self.id,
            "affiliates_highlighted_label": {},
            "has_graduated_access": true,
            "is_blue_verified": self.is_verified,
            "profile_image_shape": "Circle",
        });
        let more = match shape {
            WebShape::Modern => self.modern(),
            WebShape::Legacy => json!({"legacy": self.legacy()}),
        };
        if let (Some(members), Value::Object(more)) = (result.as_object_mut(), more) {
            members.extend(more);
        }
        result
    }

    fn modern(&self) -> Value {
        json!({
            "action_counts": {"favorites_count": self.posts / 3},
            "avatar": {"image_url": self.picture},
            "core": {"created_at": self.created_at, "name": self.name, "screen_name": self.handle},
            "dm_permissions": {"can_dm": false},
            "follow_request_sent": false,
            "location": {"location": self.location},
            "media_permissions": {"can_media_tag": true},
            "notifications_settings": {"notifications_enabled": false},
            "pinned_items": {},
            "possibly_sensitive": false,
            "privacy": {"protected": self.is_protected},
            "profile_bio": {"description": self.bio, "entities": {"description": {}}},
            "profile_metadata": {"profile_interstitial_type": ""},
            "profile_translation": {"translator_type": "regular"},
            "relationship_counts": {"followers": self.followers, "following": self.following},
            "relationship_perspectives": {
                "blocked_by": false, "blocking": false, "followed_by": false,
                "following": false, "live_following": false, "muting": false,
            },
            "super_follow_eligible": false,
            "super_followed_by": false,
            "super_following": false,
            "tipjar_settings": {"is_enabled": true},
            "tweet_counts": {"media_tweets": self.posts / 20, "tweets": self.posts},
            "verification": {"verified": false},
            "website": {"url": ""},
        })
    }

    fn legacy(&self) -> Value {
        let members = json!({
            "can_dm": false,
            "can_media_tag": true,
            "created_at": self.created_at,
            "default_profile": true,
            "default_profile_image": false,
            "description": self.bio,
            "entities": {"description": {"urls": []}},
            "fast_followers_count": 0,
            "favourites_count": self.posts / 3,
            "followers_count": self.followers,
            "friends_count": self.following,
            "has_custom_timelines": false,
            "is_translator": false,
            "listed_count": self.following / 40,
            "location": self.location,
            "media_count": self.posts / 20,
            "name": self.name,
            "normal_followers_count": self.followers,
            "pinned_tweet_ids_str": [],
            "possibly_sensitive": false,
            "profile_image_url_https": self.picture,
            "screen_name": self.handle,
            "statuses_count": self.posts,
            "translator_type": "none",
            "verified": false,
            "want_retweets": false,
            "withheld_in_countries": [],
        });
        let mut members = match members {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        // The old shape leaves out what is false.
        if self.is_protected {
            members.insert("protected".to_owned(), true.into());
        }
        Value::Object(members)
    }
}

/// What stands in the place of a user who cannot be shown: nothing, or a user without anything. Most are left out.
pub(super) fn unavailable(people: &Population, user: u64) -> Option<Value> {
    match mix(people.seed ^ 0x0A_0B, user) % 4 {
        0 => Some(json!({})),
        1 => Some(json!({"result": {
            "__typename": "UserUnavailable",
            "reason": "Suspended",
            "message": "User is suspended",
        }})),
        _ => None,
    }
}
