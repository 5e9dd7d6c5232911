//! How many readers may there be? So many in all, and of one tenant no more than are left for the others.

use std::collections::HashMap;
use std::sync::Arc;

use domain::TenantId;
use parking_lot::Mutex;

/// The places of one process.
#[derive(Clone)]
pub struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
}

#[derive(Default)]
struct Taken {
    all: usize,
    /// Only tenants that have a reader.
    by_tenant: HashMap<TenantId, usize>,
}

/// One of them; given back when it is dropped.
pub struct Place {
    places: Places,
    tenant: TenantId,
}

impl Places {
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A place, if the tenant has fewer than there are left: alone it gets half of them, and whoever comes next finds some.
    pub fn take(&self, tenant: &TenantId) -> Option<Place> {
        let mut taken = self.taken.lock();
        let left = self.most - taken.all;
        if taken.by_tenant.get(tenant).copied().unwrap_or(0) >= left {
            return None;
        }
        taken.all += 1;
        *taken.by_tenant.entry(tenant.clone()).or_default() += 1;
        Some(Place { places: self.clone(), tenant: tenant.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.all -= 1;
        if let Some(count) = taken.by_tenant.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                taken.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(places: &Places, tenant: &'static str) -> Vec<Place> {
        std::iter::from_fn(|| places.take(&TenantId::of(tenant))).collect()
    }

    #[test]
    fn no_tenant_takes_all_places_and_all_are_given_back() {
        let places = Places::new(64);
        let (first, second, third) = (all(&places, "a"), all(&places, "b"), all(&places, "c"));
        assert_eq!((first.len(), second.len(), third.len()), (32, 16, 8));
        assert!(places.take(&TenantId::of("a")).is_none());
        drop((first, third));
        assert!(places.take(&TenantId::of("c")).is_some());
        drop(second);
        let taken = places.taken.lock();
        assert!(taken.all == 0 && taken.by_tenant.is_empty());
    }
}
