//! Which secret seals what is stored? The given one, or one that is made at the first start and kept.

use settings::Secret;
use vault::ServerSecret;

use crate::{DataDir, EngineError, EngineSettings};

const SECRET_FILE: &str = "secret.key";

/// The given secret.
pub(crate) fn given_secret(settings: &EngineSettings) -> Result<ServerSecret, EngineError> {
    parsed(settings.secret_key.as_ref())
}

pub(crate) fn parsed(given: Option<&Secret>) -> Result<ServerSecret, EngineError> {
    let given = given.map_or("", Secret::expose);
    given.trim().parse().map_err(|why| EngineError::Secret { place: "`FLOTILLA_SECRET_KEY`".to_owned(), why })
}

/// The given secret, or the one in the data directory, made at the first start. `is_used`: the database holds keys, so this
/// is not the first.
pub(crate) fn kept_secret(settings: &EngineSettings, data_dir: &DataDir, is_used: bool) -> Result<ServerSecret, EngineError> {
    if settings.secret_key.is_some() {
        return given_secret(settings);
    }
    let place = || format!("`{}`", data_dir.file(SECRET_FILE).display());
    let error = |why| EngineError::Secret { place: place(), why };
    match data_dir.read(SECRET_FILE)? {
        Some(text) => {
            if !is_used {
                tracing::warn!(
                    "there is a secret key, but the database is new: if you expected jobs in it, stop and look for the right file"
                );
            }
            text.trim().parse().map_err(error)
        }
        None if is_used => Err(EngineError::SecretMissing { place: place() }),
        None => {
            let secret = ServerSecret::generate().map_err(error)?;
            data_dir.write_private(SECRET_FILE, &secret.to_hex())?;
            Ok(secret)
        }
    }
}
