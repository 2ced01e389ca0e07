//! Settings of a server whose API alone is used.

use std::path::Path;

use super::sql::Sql;

/// Returns the text of `app.ini`. Passwords are hashed in 10 rounds because thousands of requests send one.
pub(super) fn text(directory: &Path, port: u16, sql: &Sql) -> String {
    let directory = directory.display();
    let database = sql.settings();
    format!(
        "APP_NAME = testbed
RUN_MODE = prod
WORK_PATH = {directory}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
ROOT_URL = http://127.0.0.1:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
LFS_START_SERVER = false
STATIC_ROOT_PATH = {directory}/static
APP_DATA_PATH = {directory}/data
[repository]
ROOT = {directory}/repositories
[database]
{database}
LOG_SQL = false
[security]
INSTALL_LOCK = true
SECRET_KEY = testbed
PASSWORD_HASH_ALGO = pbkdf2$1$10
[oauth2]
ENABLED = false
[service]
DISABLE_REGISTRATION = true
[indexer]
ISSUE_INDEXER_TYPE = db
[queue]
TYPE = channel
[cron]
ENABLED = false
[actions]
ENABLED = false
[packages]
ENABLED = false
[log]
MODE = console
LEVEL = warn
"
    )
}
