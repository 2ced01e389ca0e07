//! What stands in front of every platform and fails by itself: gateways, bot walls, maintenance pages.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Content},
    faults::FaultKind,
    world::Platform,
};

impl Answer {
    /// The gateway's own errors, which look alike on every platform; `None` for every other fault.
    pub(crate) fn gateway_fault(fault: &FaultKind, platform: Platform) -> Option<Self> {
        let empty = |status| Self {
            content: Content::Empty,
            ..Self::json(status, "")
        };
        match fault {
            FaultKind::InternalErrorHtml => Some(Self {
                content: Content::Html,
                ..Self::json(
                    500,
                    "<!DOCTYPE html><html><head><title>500</title></head>\
                     <body><h1>Something went wrong</h1></body></html>",
                )
            }),
            FaultKind::BadGateway => Some(empty(502)),
            FaultKind::GatewayTimeout => Some(empty(504)),
            FaultKind::BlockedHtml => Some(
                Self {
                    content: Content::Html,
                    ..Self::json(
                        403,
                        "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head>\
                         <body><h1>Sorry, you have been blocked</h1></body></html>",
                    )
                }
                .with_header("server", "cloudflare")
                .with_header("cf-ray", "8f2b0c4d1e6a7b39-FRA"),
            ),
            FaultKind::MaintenanceHtml => Some(Self {
                content: Content::Html,
                ..Self::json(
                    200,
                    "<!DOCTYPE html><html><head><title>Maintenance</title></head>\
                     <body><h1>We'll be back soon</h1></body></html>",
                )
            }),
            FaultKind::Forbidden => Some(Self::json(403, forbidden(platform).to_string())),
            FaultKind::Unavailable {
                retry_after_seconds: None,
            } => Some(empty(503)),
            FaultKind::Unavailable {
                retry_after_seconds: Some(seconds),
            } => Some(empty(503).with_header("retry-after", seconds.to_string())),
            _ => None,
        }
    }
}

/// What each platform says to whom it does not serve.
fn forbidden(platform: Platform) -> Value {
    match platform {
        Platform::X => json!({
            "client_id": "12345678",
            "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use keys and tokens from \
                       a Twitter developer App that is attached to a Project. You can create a project via the \
                       developer portal.",
            "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
            "title": "Client Forbidden",
            "required_enrollment": "Appropriate Level of API Access",
            "reason": "client-not-enrolled",
            "type": "https://api.twitter.com/2/problems/client-forbidden",
        }),
        Platform::Bluesky => json!({"error": "Forbidden", "message": "Forbidden"}),
        Platform::Gitea => {
            json!({"message": "token does not have at least one of required scope(s): [read:user]"})
        }
        Platform::Github => json!({
            "message": "Resource not accessible by personal access token",
            "documentation_url": "https://docs.github.com/rest",
            "status": "403",
        }),
        Platform::Mastodon => json!({"error": "This action is not allowed"}),
    }
}
