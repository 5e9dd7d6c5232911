//! Who asks? Checks the presented API key and the scope a route needs, before the handler sees the request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::bounds::REMEMBERED_KEYS_MAX;
use domain::{KeyId, TenantId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use parking_lot::Mutex;
use store::{Access, Actor, ApiKey, Scopes};
use vault::{PresentedKey, Vault};

use crate::envelope::RequestId;
use crate::problem::Problem;
use crate::routes::Needs;

/// How long a key that was found is believed without asking again: a key revoked elsewhere lives this much longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(3);

/// Who a request speaks for.
#[derive(Clone, Debug)]
pub struct Principal {
    pub tenant: TenantId,
    /// The key's name.
    pub name: String,
    pub scopes: Scopes,
    pub request_id: RequestId,
}

impl Principal {
    /// As the store's audit rows name it, acting for its own tenant.
    pub fn actor(&self) -> Actor {
        self.actor_for(self.tenant.clone())
    }

    /// Acting for `tenant`; the caller has checked that it may.
    pub fn actor_for(&self, tenant: TenantId) -> Actor {
        Actor { tenant, name: self.name.clone(), request_id: self.request_id.to_string() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Only a route that is open to everybody has no principal, and such a route's handler does not ask for one.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::unauthorized("this route needs a key"))
    }
}

/// Lets requests in.
#[derive(Clone)]
pub struct Gate {
    access: Arc<dyn Access>,
    vault: Arc<Vault>,
    remembered: Arc<Mutex<Remembered>>,
}

#[derive(Default)]
struct Remembered {
    keys: HashMap<KeyId, (ApiKey, Instant)>,
    /// Raised by each revocation: what was read before it must not be remembered after it.
    generation: u64,
}

impl Gate {
    pub fn new(access: Arc<dyn Access>, vault: Arc<Vault>) -> Self {
        Self { access, vault, remembered: Arc::default() }
    }

    /// The middleware of one route.
    pub async fn admit(State((gate, needs)): State<(Self, Needs)>, mut request: Request, next: Next) -> Result<Response, Problem> {
        let request_id = RequestId::of(request.extensions());
        let principal = gate.principal(request.headers(), request_id, needs).await?;
        request.extensions_mut().insert(principal);
        Ok(next.run(request).await)
    }

    /// Forgets a key that has just been revoked.
    pub fn forget(&self, id: KeyId) {
        let mut remembered = self.remembered.lock();
        remembered.generation += 1;
        remembered.keys.remove(&id);
    }

    async fn principal(&self, headers: &HeaderMap, request_id: RequestId, needs: Needs) -> Result<Principal, Problem> {
        let presented = presented(headers)?;
        let Some(key) = self.key(presented.id).await? else { return Err(refused()) };
        if !self.vault.matches(&presented, &key.hash) {
            return Err(refused());
        }
        if key.revoked_at.is_some() {
            return Err(Problem::unauthorized("this API key was revoked"));
        }
        if let Needs::Scope(needed) = needs
            && !key.scopes.allow(needed)
        {
            return Err(Problem::forbidden(needed));
        }
        Ok(Principal { tenant: key.tenant, name: key.name, scopes: key.scopes, request_id })
    }

    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, Problem> {
        let generation = {
            let remembered = self.remembered.lock();
            if let Some((key, read_at)) = remembered.keys.get(&id)
                && read_at.elapsed() < REMEMBERED_FOR
            {
                return Ok(Some(key.clone()));
            }
            remembered.generation
        };
        let read_at = Instant::now();
        let found = self.access.key(id).await?;
        if let Some(key) = &found {
            self.remembered.lock().put(key, read_at, generation);
        }
        Ok(found)
    }
}

impl Remembered {
    fn put(&mut self, key: &ApiKey, read_at: Instant, generation: u64) {
        if self.generation != generation {
            return;
        }
        if self.keys.len() >= REMEMBERED_KEYS_MAX {
            self.keys.retain(|_, (_, read_at)| read_at.elapsed() < REMEMBERED_FOR);
        }
        if self.keys.len() < REMEMBERED_KEYS_MAX {
            self.keys.insert(key.id, (key.clone(), read_at));
        }
    }
}

fn presented(headers: &HeaderMap) -> Result<PresentedKey, Problem> {
    let value = headers.get(AUTHORIZATION).ok_or_else(|| Problem::unauthorized("the request carries no API key"))?;
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Problem::unauthorized("the scheme of `Authorization` must be `Bearer`"));
    }
    token.trim().parse().map_err(|_| refused())
}

fn refused() -> Problem {
    Problem::unauthorized("the API key is not valid here")
}
