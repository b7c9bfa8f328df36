//! What of the snapshot is shown, and what counts as a problem.

use crate::model::{
    DisabledStatus, HostStatus, OpStatus, Role, ServerView, ServiceView, Snapshot, Verdict,
    WatchStatus,
};

/// What to show, in the order of the snapshot.
pub struct Selection<'a> {
    /// Each with its servers to show.
    pub services: Vec<(&'a ServiceView, Vec<&'a ServerView>)>,
    /// Each with its hosts to show.
    pub watches: Vec<(&'a WatchStatus, Vec<&'a HostStatus>)>,
    pub disabled: Vec<&'a DisabledStatus>,
}

impl<'a> Selection<'a> {
    /// What contains `filter` (upper and lower case alike), or everything; of that, with
    /// `problems`, what is not as it should be.
    pub fn new(snapshot: &'a Snapshot, filter: Option<&str>, problems: bool) -> Selection<'a> {
        let filter = filter.map(str::to_lowercase);
        let has = |text: &str| filter.as_ref().is_none_or(|f| text.to_lowercase().contains(f));
        let rows = snapshot.services.iter().filter_map(|service| {
            let whole = has(&service.service) || service.name.as_deref().is_some_and(has);
            let servers: Vec<_> = service
                .servers
                .iter()
                .filter(|server| whole || has(&server.server))
                .filter(|server| !problems || is_troubled(server, snapshot.role))
                .collect();
            let troubled = has_own_trouble(service) || !servers.is_empty();
            let show = match problems {
                true => troubled && (whole || !servers.is_empty()),
                false => whole || !servers.is_empty(),
            };
            show.then_some((service, servers))
        });
        let watches = snapshot.watches.iter().filter_map(|watch| {
            let whole = has(&watch.watch);
            let hosts: Vec<_> = watch
                .hosts
                .iter()
                .filter(|host| whole || has(&host.host))
                .filter(|host| !problems || host.up != Some(true))
                .collect();
            let fails = watch.state == OpStatus::Fail;
            let show = match problems {
                true => (fails && whole) || !hosts.is_empty(),
                false => whole || !hosts.is_empty(),
            };
            show.then_some((watch, hosts))
        });
        Selection {
            services: rows.collect(),
            watches: watches.collect(),
            disabled: snapshot.disabled.iter().filter(|disabled| has(&disabled.name)).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.watches.is_empty() && self.disabled.is_empty()
    }
}

/// Something about the service as a whole is not as it should be.
pub fn has_own_trouble(service: &ServiceView) -> bool {
    !service.up || !service.in_sync || service.fallback_active || service.error.is_some()
}

/// The service, or one of its servers, is not as it should be.
pub fn has_trouble(service: &ServiceView, role: Role) -> bool {
    has_own_trouble(service) || service.servers.iter().any(|server| is_troubled(server, role))
}

/// The server does not take its share, or we cannot tell. On standby nobody does: there it would
/// not.
pub fn is_troubled(server: &ServerView, role: Role) -> bool {
    server.verdict != Verdict::Up
        || server.held.is_some()
        || server.check.local_error.is_some()
        || (role == Role::Active && server.kernel_weight != Some(server.weight))
}
