//! Every connector over real connections, as the program itself makes them.

use followlytics_core::account::Platform;
use followlytics_platforms::http::{Route, client};
use followlytics_simulator::serve;
use strum::VariantArray as _;
use tokio::net::TcpListener;

use crate::sky::{Sky, newest, reader, sky, truth};

#[tokio::test]
async fn a_list_of_every_platform_is_read_over_http() {
    for &platform in Platform::VARIANTS {
        let (sky, account) = sky(platform, 345, |_| ());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(serve(sky.world.clone(), listener));
        let sky = Sky {
            http: client(Route::Internet).unwrap(),
            base_url,
            ..sky
        };
        let reader = reader(&sky, &account).await;
        let ids = reader.ids(newest(platform, 345), 0).await;
        assert_eq!(
            ids.into_iter().collect::<std::collections::BTreeSet<_>>(),
            truth(&sky, &account),
            "{platform}"
        );
        server.abort();
    }
}
