//! Where ledger and objects lie: the data directory, or a PostgreSQL database and a bucket that arguments name.
//!
//! Owns what is said about them to people and to child processes. An address may hold a password: it goes to a child
//! in its environment, never in its arguments, and no message repeats it. Secrets of the Credentials are no part of
//! this: they stay files of the data directory.

mod address;

use std::path::{Path, PathBuf};

use followlytics_store::{
    db::Db,
    objects::{Objects, ObjectsError, S3Options},
};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use self::address::{DATABASE, OBJECTS};
use crate::{args::Global, data::DataDir, edge, exit::Failure};

/// Where ledger and objects lie.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    database: Database,
    objects: Place,
}

#[derive(Debug, Clone)]
enum Database {
    /// The data directory's own file: whoever holds the directory holds it.
    Own(PathBuf),
    /// Another file, which several data directories may name.
    File(PathBuf),
    Postgres(SecretString),
}

#[derive(Debug, Clone)]
enum Place {
    Files(PathBuf),
    S3 { url: String, options: S3Options },
}

impl Storage {
    /// Everything in the data directory.
    pub(crate) fn own(data: &DataDir) -> Self {
        Self {
            database: Database::Own(data.ledger()),
            objects: Place::Files(data.objects()),
        }
    }

    /// What the arguments or the environment name; the data directory for what they do not.
    pub(crate) fn chosen(global: &Global, data: &DataDir) -> Result<Self, Failure> {
        let mut storage = Self::own(data);
        if let Some(text) = global.database.as_ref().map(ExposeSecret::expose_secret) {
            storage.database = match address::scheme(text) {
                _ if text.is_empty() => storage.database,
                Some("postgres" | "postgresql") => Database::Postgres(text.into()),
                Some(other) => return Err(address::unknown("--database", other, "postgres:// or a PATH")),
                None => match address::absolute(text, "--database")? {
                    path if path == data.ledger() => Database::Own(path),
                    path => Database::File(path),
                },
            };
        }
        if let Some(text) = global.objects.as_deref().filter(|text| !text.is_empty()) {
            storage.objects = match address::scheme(text) {
                Some("s3") => Place::S3 {
                    url: text.to_owned(),
                    options: S3Options::from_variables(std::env::vars()),
                },
                Some(other) => return Err(address::unknown("--objects", other, "s3:// or a PATH")),
                None => Place::Files(address::absolute(text, "--objects")?),
            };
        }
        Ok(storage)
    }

    /// The same where a running control plane says that it uses these.
    pub(crate) fn used_by_another(
        mut self,
        database: Option<&str>,
        objects: Option<&str>,
    ) -> Result<Self, Failure> {
        if let Some(database) = database.filter(|database| *database != self.database()) {
            if address::scheme(database).is_some() {
                return Err(Failure::usage(format!(
                    "failed to open the database: the running control plane uses {database}; name it, with its password, in \
                     {DATABASE}"
                )));
            }
            self.database = Database::File(PathBuf::from(database));
        }
        if let Some(objects) = objects.filter(|objects| Path::new(objects) != self.objects_root()) {
            self.objects = match address::scheme(objects) {
                Some(_) => Place::S3 {
                    url: objects.to_owned(),
                    options: S3Options::from_variables(std::env::vars()),
                },
                None => Place::Files(PathBuf::from(objects)),
            };
        }
        Ok(self)
    }

    /// Opens the database and brings its schema up to date.
    pub(crate) async fn open_database(&self) -> Result<Db, Failure> {
        match &self.database {
            Database::Own(path) => Ok(Db::open(path)?),
            Database::File(path) => {
                if let Some(folder) = path.parent() {
                    // A folder that cannot be made is told by the file that cannot be opened.
                    let _ = std::fs::create_dir_all(folder);
                }
                Ok(Db::open(path)?)
            }
            Database::Postgres(url) => Ok(Db::connect(url.expose_secret()).await?),
        }
    }

    /// Whether the database is a PostgreSQL server's.
    pub(crate) const fn is_on_server(&self) -> bool {
        matches!(self.database, Database::Postgres(_))
    }

    /// The objects, without a look at whether they can be reached.
    pub(crate) fn open_objects(&self) -> Result<Objects, Failure> {
        match &self.objects {
            Place::Files(root) => Objects::files(root),
            Place::S3 { url, options } => Objects::s3(url, options),
        }
        .map_err(refused)
    }

    /// The objects of a bucket that a running control plane names, as far as this command's environment lets it read.
    pub(crate) fn read_from(global: &Global, data: &DataDir, root: &Path) -> Option<Objects> {
        let mut storage = Self::chosen(global, data).ok()?;
        let url = root.to_str().filter(|url| address::scheme(url) == Some("s3"))?;
        storage.objects = Place::S3 {
            url: url.to_owned(),
            options: S3Options::from_variables(std::env::vars()),
        };
        storage.open_objects().ok()
    }

    /// A note for whoever wrote a password where every user of the machine can read it.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        let Database::Postgres(url) = &self.database else {
            return None;
        };
        let told = std::env::var(DATABASE).is_ok_and(|told| told == url.expose_secret());
        (!told && address::holds_password(url.expose_secret())).then_some(
            "the password in --database can be seen by every user of this machine; name the database in \
             FOLLOWLYTICS_DATABASE, or the password in PGPASSWORD",
        )
    }

    /// The objects, once it is sure that a bucket takes, keeps and gives them.
    pub(crate) async fn open_reliable_objects(&self) -> Result<Objects, Failure> {
        let objects = self.open_objects()?;
        if let Place::S3 { .. } = self.objects {
            let checked = objects.check(&edge::new_id().to_string()).await;
            checked.map_err(refused)?;
        }
        Ok(objects)
    }

    /// Whether others may work on this database without the data directory's lock.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self.database, Database::Own(_))
    }

    /// The database for people: no user, no password.
    pub(crate) fn database(&self) -> String {
        match &self.database {
            Database::Own(path) | Database::File(path) => path.display().to_string(),
            Database::Postgres(url) => address::without_secrets(url.expose_secret()),
        }
    }

    /// What stands before a key: a directory or `s3://BUCKET/PREFIX`.
    pub(crate) fn objects_root(&self) -> &Path {
        match &self.objects {
            Place::Files(root) => root,
            Place::S3 { url, .. } => Path::new(url.trim_end_matches('/')),
        }
    }

    /// What a child needs in its environment to use the same storage; never for a sandbox.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        match &self.database {
            Database::Own(_) => {}
            Database::File(path) => variables.push((DATABASE.to_owned(), path.display().to_string())),
            Database::Postgres(url) => {
                variables.push((DATABASE.to_owned(), url.expose_secret().to_owned()));
                variables.extend(std::env::vars().filter(|(name, _)| address::is_for_postgres(name)));
            }
        }
        match &self.objects {
            Place::Files(root) => variables.push((OBJECTS.to_owned(), root.display().to_string())),
            Place::S3 { url, options } => {
                variables.push((OBJECTS.to_owned(), url.clone()));
                let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                variables.extend(options.variables().map(own));
            }
        }
        variables
    }
}

fn refused(error: ObjectsError) -> Failure {
    let exit = match error {
        ObjectsError::Bucket { .. } | ObjectsError::Overwrites { .. } => crate::exit::Exit::Usage,
        _ => crate::exit::Exit::Storage,
    };
    Failure::new(exit, error.to_string()).because(error)
}
