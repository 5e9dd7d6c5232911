//! Who asks? Checks room, the presented API key, its allowance and the scope a route needs, before the handler sees the request.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::bounds::{DOUBTFUL_KEYS_MAX, REMEMBERED_KEYS_MAX};
use domain::{KeyId, TenantId};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use parking_lot::Mutex;
use store::{Access, Actor, ApiKey, Scopes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use vault::{PresentedKey, Vault};

use crate::admission::Door;
use crate::allowance::{Allowance, Exhausted};
use crate::body;
use crate::envelope::RequestId;
use crate::limits::Limits;
use crate::problem::Problem;
use crate::routes::Needs;

/// How long a key that was found is believed without asking again: a key revoked elsewhere lives this much longer.
const REMEMBERED_FOR: Duration = Duration::from_secs(3);

/// How long an unknown key from a doubtful address waits for its turn to be looked for.
const DOUBTED_FOR: Duration = Duration::from_secs(1);

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
    door: Door,
    limits: Arc<Limits>,
    doubtful: Arc<Semaphore>,
}

#[derive(Default)]
struct Remembered {
    keys: HashMap<KeyId, (ApiKey, Instant)>,
    /// Raised by each revocation: what was read before it must not be remembered after it.
    generation: u64,
}

impl Gate {
    pub fn new(access: Arc<dyn Access>, vault: Arc<Vault>, door: Door, limits: Limits) -> Self {
        let doubtful = Arc::new(Semaphore::new(DOUBTFUL_KEYS_MAX));
        Self { access, vault, remembered: Arc::default(), door, limits: Arc::new(limits), doubtful }
    }

    /// The middleware of one route: first whether there is room, which costs nothing to find out, then who asks and how often.
    pub async fn admit(State((gate, needs)): State<(Self, Needs)>, request: Request, next: Next) -> Result<Response, Problem> {
        let (mut head, body) = request.into_parts();
        let admission = match gate.door.enter() {
            Ok(admission) => admission,
            Err(problem) => return Err(refusing(problem, &head, body)),
        };
        let (principal, allowance) = match gate.pass(&head, needs).await {
            Ok(pass) => pass,
            Err(problem) => return Err(refusing(problem, &head, body)),
        };
        head.extensions.insert(principal);
        let mut response = admission.scope(next.run(Request::from_parts(head, body))).await;
        if let Some(allowance) = allowance {
            allowance.tell(response.headers_mut());
        }
        Ok(response)
    }

    /// Who asks, if they may, and what is left of their allowance.
    async fn pass(&self, head: &Parts, needs: Needs) -> Result<(Principal, Option<Allowance>), Problem> {
        let from = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let (id, key) = self.identified(&head.headers, from).await?;
        let allowance = self.limits.request(id).map_err(Problem::rate_limited)?;
        match principal(key, RequestId::of(&head.extensions), needs) {
            Ok(principal) => Ok((principal, allowance)),
            Err(problem) => Err(problem.with_allowance(allowance)),
        }
    }

    /// Forgets a key that has just been revoked.
    pub fn forget(&self, id: KeyId) {
        let mut remembered = self.remembered.lock();
        remembered.generation += 1;
        remembered.keys.remove(&id);
    }

    /// The key that is presented, if it is one of ours. What guessers cost the store is bounded, but not at the cost of those who
    /// share an address with one: a key that was right here before is looked for at once, and others a few at a time.
    async fn identified(&self, headers: &HeaderMap, from: Option<IpAddr>) -> Result<(KeyId, ApiKey), Problem> {
        let presented = presented(headers)?;
        let is_known = self.remembered.lock().keys.contains_key(&presented.id);
        let _turn = match from.map(|from| self.limits.may_guess(from)) {
            Some(Err(exhausted)) if !is_known => Some(self.turn(exhausted).await?),
            Some(_) | None => None,
        };
        match self.key(presented.id).await? {
            Some(key) if self.vault.matches(&presented, &key.hash) => match key.revoked_at {
                None => Ok((presented.id, key)),
                Some(_) => Err(Problem::unauthorized("this API key was revoked")),
            },
            Some(_) | None => {
                if let Some(from) = from {
                    self.limits.wrong_key(from);
                }
                Err(refused())
            }
        }
    }

    /// Waits a moment for the turn of an unknown key from an address that has shown too many wrong ones.
    async fn turn(&self, exhausted: Exhausted) -> Result<OwnedSemaphorePermit, Problem> {
        let turn = timeout(DOUBTED_FOR, Arc::clone(&self.doubtful).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or_else(|| Problem::too_many_wrong_keys(exhausted))
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

/// The refusal, for a caller that may still be sending.
fn refusing(problem: Problem, head: &Parts, body: Body) -> Problem {
    body::leave(&head.headers, body);
    problem
}

/// Who the request speaks for, if that may do what the route needs.
fn principal(key: ApiKey, request_id: RequestId, needs: Needs) -> Result<Principal, Problem> {
    match needs {
        Needs::Scope(needed) if !key.scopes.allow(needed) => Err(Problem::forbidden(needed)),
        Needs::Nothing | Needs::Key | Needs::Scope(_) => {
            Ok(Principal { tenant: key.tenant, name: key.name, scopes: key.scopes, request_id })
        }
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
