//! The features a GraphQL request of the web client has to name; a missing one makes its client outdated.

/// Name, and what the web client says of it.
pub(super) const FEATURES: [(&str, bool); 40] = [
    ("articles_preview_enabled", false),
    ("c9s_tweet_anatomy_moderator_badge_enabled", true),
    ("communities_web_enable_tweet_community_results_fetch", true),
    ("creator_subscriptions_quote_tweet_preview_enabled", false),
    ("creator_subscriptions_tweet_preview_api_enabled", true),
    ("freedom_of_speech_not_reach_fetch_enabled", true),
    ("graphql_is_translatable_rweb_tweet_is_translatable_enabled", true),
    ("longform_notetweets_consumption_enabled", true),
    ("longform_notetweets_inline_media_enabled", true),
    ("longform_notetweets_rich_text_read_enabled", true),
    ("responsive_web_edit_tweet_api_enabled", true),
    ("responsive_web_enhance_cards_enabled", false),
    ("responsive_web_graphql_exclude_directive_enabled", true),
    (
        "responsive_web_graphql_skip_user_profile_image_extensions_enabled",
        false,
    ),
    (
        "responsive_web_grok_community_note_auto_translation_is_enabled",
        false,
    ),
    ("responsive_web_graphql_timeline_navigation_enabled", true),
    ("responsive_web_grok_imagine_annotation_enabled", false),
    ("responsive_web_media_download_video_enabled", false),
    ("responsive_web_profile_redirect_enabled", true),
    ("responsive_web_twitter_article_tweet_consumption_enabled", true),
    ("rweb_tipjar_consumption_enabled", true),
    ("rweb_video_timestamps_enabled", true),
    ("standardized_nudges_misinfo", true),
    ("tweet_awards_web_tipping_enabled", false),
    (
        "tweet_with_visibility_results_prefer_gql_limited_actions_policy_enabled",
        true,
    ),
    (
        "tweet_with_visibility_results_prefer_gql_media_interstitial_enabled",
        false,
    ),
    ("tweetypie_unmention_optimization_enabled", true),
    ("verified_phone_label_enabled", false),
    ("view_counts_everywhere_api_enabled", true),
    ("responsive_web_grok_analyze_button_fetch_trends_enabled", false),
    ("premium_content_api_read_enabled", false),
    ("profile_label_improvements_pcf_label_in_post_enabled", false),
    ("responsive_web_grok_share_attachment_enabled", false),
    ("responsive_web_grok_analyze_post_followups_enabled", false),
    ("responsive_web_grok_image_annotation_enabled", false),
    ("responsive_web_grok_analysis_button_from_backend", false),
    ("responsive_web_jetfuel_frame", false),
    ("rweb_video_screen_enabled", true),
    ("responsive_web_grok_show_grok_translated_post", true),
    ("responsive_web_twitter_article_notes_tab_enabled", false),
];

/// The features as a request carries them.
pub(super) fn all() -> serde_json::Map<String, serde_json::Value> {
    FEATURES
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect()
}

/// The features a request does not name.
pub(super) fn missing(text: &str) -> Vec<&'static str> {
    let given: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).unwrap_or_default();
    FEATURES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !given.get(*name).is_some_and(serde_json::Value::is_boolean))
        .collect()
}
