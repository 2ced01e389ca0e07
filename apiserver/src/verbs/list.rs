//! GET of a collection, whole or in pages.

use axum::response::Response;

use crate::{
    page, present::View, router::Call, selector::Selector, server::Inner, status_error::StatusError,
};

pub(crate) async fn list(server: &Inner, call: &Call) -> Result<Response, StatusError> {
    let view = View::of(server, call)?;
    let selector = Selector::of(call)?;
    let mut tx = server.db.begin().await?;
    let page = page::read(server, &mut tx, call, &selector).await?;
    drop(tx);
    view.list(&page.meta, page.items.iter().map(|stored| stored.object.as_str()))
}
