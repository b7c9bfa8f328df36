//! The virtual services that a `mon.cf` keeps by its alerts, as services of ours.

use std::sync::Arc;

use super::{Surroundings, convert, parse};
use crate::config::{Converted, Declared, Names, Parsed, Place, Source};
use crate::model::{
    ByHand, CheckSpec, FailureAction, Joined, JoinedServer, KernelName, RealServer,
    ServiceSettings, StopAction, VirtualService,
};

/// Reads a `mon.cf`: its virtual services, and all the rest as one.
pub(in crate::config) fn parse_services(source: &Source, names: &dyn Names) -> Parsed {
    let super::Parsed { file, diagnostics, .. } = around(names, |around| parse(source, around));
    let place = || Place { file: source.path.clone(), span: 0..0 };
    let declare = |joined: &Joined| Declared {
        service: Arc::new(service(joined)),
        place: place(),
        vip: None,
        alerts: None,
        watch: None,
    };
    Parsed {
        services: file.joined.iter().map(declare).collect(),
        mon: Some(Arc::new(file)),
        diagnostics,
        ..Parsed::default()
    }
}

/// The first mistake as mon prints it, where there is one.
pub fn first_error(source: &Source, names: &dyn Names) -> Option<String> {
    around(names, |around| parse(source, around)).first_error
}

/// The file in the native dialect.
pub(in crate::config) fn convert_for(source: &Source, names: &dyn Names) -> Converted {
    around(names, |around| convert(source, around))
}

fn around<T>(names: &dyn Names, read: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    let means = names.mon();
    let native = means.native;
    read(&Surroundings { files: means.files, names, native: &native, options: means.options })
}

pub(super) fn service(joined: &Joined) -> VirtualService {
    VirtualService {
        key: joined.service,
        name: None,
        settings: ServiceSettings::plain(joined.scheduler.unwrap_or(KernelName::WLC)),
        servers: joined.servers.iter().map(server).collect(),
        fallback: None,
        // An alert deletes the row, and that is all.
        on_failure: FailureAction::Remove,
        // mon goes and leaves the table as it is.
        on_stop: StopAction::Keep,
        by_hand: ByHand::Repair,
        tells_rows: false,
        is_partial: joined.scheduler.is_none(),
        maintenance_dir: None,
        vips: Vec::new(),
    }
}

fn server(joined: &JoinedServer) -> RealServer {
    let keys = joined.watches.iter().map(|watch| watch.key.clone()).collect();
    let most = |of: fn(&crate::model::JoinedWatch) -> u16| {
        joined.watches.iter().map(of).max().unwrap_or(1)
    };
    let check = CheckSpec::watched(keys, most(|watch| watch.rise), most(|watch| watch.fall));
    RealServer {
        endpoint: joined.endpoint,
        destination: joined.destination,
        check_endpoint: joined.endpoint,
        check: Arc::new(check),
        written_port: joined.endpoint.port,
        maintenance: false,
    }
}
