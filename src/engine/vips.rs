//! What the engine knows that decides about the addresses of its services.

use super::{Engine, Service};
use crate::model::{Backing, Phase, StopAction, Vip};

impl Engine {
    /// Whether [`Engine::backings`] may say something else than when this was last asked.
    pub fn poll_backings(&mut self) -> bool {
        std::mem::take(&mut self.backings_changed)
    }

    /// How each service with addresses of its own stands.
    pub fn backings(&self) -> impl Iterator<Item = (&[Vip], Backing)> {
        let with_vips = self.with_vips.iter().filter_map(|key| self.services.get(key));
        with_vips.map(|service| (&service.spec.vips[..], self.backing(service)))
    }

    fn backing(&self, service: &Service) -> Backing {
        let key = &service.spec.key;
        let end = (self.phase == Phase::Stopping).then_some(match self.keep_all {
            true => StopAction::Keep,
            false => service.spec.on_stop,
        });
        let in_table = self.kernel.is_read(key) && self.kernel.observed(key).is_some();
        Backing { in_table, carried: service.told, end }
    }
}
