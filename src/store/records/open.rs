//! Opening the file: its settings, its tables, its format.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::mpsc;

use super::write::Writer;
use super::{ORDERS, OpenError, Records};

/// The shape of the tables.
/// Format 2 knows the case that a call is an attempt of, format 3 where control has placed it; a file of an earlier format
/// is brought up to it.
pub(super) const FORMAT: i64 = 3;

/// The file in its directory.
const FILE: &str = "records.sqlite";
/// Connections that read at once; the writer has its own.
const READERS: u32 = 4;
/// How long a connection waits for another one's lock.
const BUSY: Duration = Duration::from_secs(5);

/// `number` is the order in which calls were accepted. A call without a disposition is open. The replies stand in the
/// result too; their table is for who asks the file by SQL.
const TABLES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS format (version BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS calls (
        number INTEGER PRIMARY KEY,
        call_id TEXT NOT NULL UNIQUE,
        attempt_id TEXT NOT NULL UNIQUE,
        destination TEXT NOT NULL,
        trunk TEXT NOT NULL,
        questionnaire TEXT NOT NULL,
        digest TEXT NOT NULL,
        request TEXT NOT NULL,
        request_digest TEXT NOT NULL,
        idempotency_key TEXT UNIQUE,
        accepted_at TEXT NOT NULL,
        disposition TEXT,
        ended_at TEXT,
        case_name TEXT,
        control_epoch BIGINT NOT NULL DEFAULT 0,
        placement TEXT)",
    "CREATE INDEX IF NOT EXISTS calls_open ON calls (number) WHERE disposition IS NULL",
    "CREATE INDEX IF NOT EXISTS calls_ended ON calls (disposition, number)",
    "CREATE TABLE IF NOT EXISTS results (attempt_id TEXT PRIMARY KEY, result TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS quotas (
        digest TEXT NOT NULL,
        quota TEXT NOT NULL,
        counted BIGINT NOT NULL,
        PRIMARY KEY (digest, quota))",
    "CREATE TABLE IF NOT EXISTS replies (
        attempt_id TEXT NOT NULL,
        position BIGINT NOT NULL,
        question TEXT NOT NULL,
        status TEXT NOT NULL,
        value TEXT,
        digits TEXT NOT NULL,
        PRIMARY KEY (attempt_id, position))",
];

/// Columns that are younger than their table.
const YOUNGER: &[(&str, &str)] = &[
    ("case_name", "ALTER TABLE calls ADD COLUMN case_name TEXT"),
    ("control_epoch", "ALTER TABLE calls ADD COLUMN control_epoch BIGINT NOT NULL DEFAULT 0"),
    ("placement", "ALTER TABLE calls ADD COLUMN placement TEXT"),
];

/// Its column is younger than the tables.
const CASES: &str =
    "CREATE INDEX IF NOT EXISTS calls_case ON calls (case_name, number) WHERE case_name IS NOT NULL";

impl Records {
    /// Opens the records in `dir`, which is made if it does not exist. It is for one process at a time; the journal's
    /// lock sees to that.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(dir: &Path) -> Result<Self, OpenError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| OpenError::Dir { dir: dir.to_owned(), source })?;
        let path = dir.join(FILE);
        let failed = |source| OpenError::File { path: path.clone(), source };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit is on disk when it returns. NORMAL would lose the last ones with the machine.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(failed)?;
        let found = prepare(&mut connection).await.map_err(failed)?;
        if found > FORMAT {
            connection.close().await.ok();
            return Err(OpenError::Newer { path, found });
        }
        // They hold phone numbers and replies.
        let private = fs::set_permissions(&path, fs::Permissions::from_mode(0o600));
        private.map_err(|source| OpenError::Dir { dir: dir.to_owned(), source })?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).min_connections(1);
        let readers = readers.connect_with(options.clone().read_only(true)).await.map_err(failed)?;
        let (orders, waiting) = mpsc::channel(ORDERS);
        tokio::spawn(Writer::new(options, connection).run(waiting));
        Ok(Self { orders, readers })
    }
}

/// Makes the tables, and tells the format of the file.
async fn prepare(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    // What is newer is not touched, and what is of today is not written: on a full disk it could not be opened then.
    let known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'format'";
    let known: i64 = sqlx::query_scalar(known).fetch_one(&mut *connection).await?;
    if known > 0 {
        let version = "SELECT coalesce(max(version), 0) FROM format";
        let version: i64 = sqlx::query_scalar(version).fetch_one(&mut *connection).await?;
        if version >= FORMAT {
            return Ok(version);
        }
    }
    let mut all = connection.begin().await?;
    for table in TABLES {
        all.execute(*table).await?;
    }
    for (column, add) in YOUNGER {
        let has = "SELECT count(*) FROM pragma_table_info('calls') WHERE name = $1";
        let has: i64 = sqlx::query_scalar(has).bind(column).fetch_one(&mut *all).await?;
        if has == 0 {
            all.execute(*add).await?;
        }
    }
    all.execute(CASES).await?;
    all.execute("DELETE FROM format").await?;
    sqlx::query("INSERT INTO format (version) VALUES ($1)").bind(FORMAT).execute(&mut *all).await?;
    all.commit().await?;
    Ok(FORMAT)
}
