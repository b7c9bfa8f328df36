//! The nouns: plain data and the invariants that hold for them everywhere.
//!
//! Text from a file, bytes from the kernel and answers from real servers become these types at
//! the edge, once; nothing here reads, writes or waits.

#![forbid(unsafe_code)]

mod alerts;
mod calendar;
mod check;
mod desired;
mod digest;
mod interface;
mod kernel;
mod memory;
mod mon;
mod notice;
mod probe;
pub mod raw;
mod role;
mod server;
mod service;
mod service_watch;
mod sync;
mod table;
mod time;
mod view;
mod vip;
mod vitals;
mod watch;
mod watch_status;
mod watched;

pub use alerts::{
    Alerts, Facility, Head, Hook, LogPlace, MailAlert, MailServer, Monitor, Stage, Stages,
};
pub use calendar::{Calendar, CalendarWindows, WallTime, Window};
pub use check::{Between, CheckSpec, Outcome, Verdict};
pub use desired::{
    ByHand, Change, Desired, FailureAction, Fallback, Origin, RealServer, Settings, StopAction,
    SysctlPolicy, VirtualService,
};
pub use digest::Digest;
pub use interface::{InterfaceName, InterfaceNameError};
pub use kernel::{KernelError, KernelErrorKind};
pub use memory::{Drain, Memory, Remembered};
pub use mon::{
    AuthType, Joined, JoinedServer, JoinedWatch, MonBind, MonFile, MonPlaces, PortSettings,
};
pub use notice::{Notice, Notices};
pub use probe::{
    DnsProbe, ExternalProbe, FtpProbe, HttpProbe, LdapProbe, MailboxProbe, PingProbe, Probe,
    RadiusProbe, SipProbe, SqlProbe, StatusRanges, TcpProbe, Tls, Transport,
};
pub use role::Role;
pub use server::{Destination, Endpoint, ForwardingMethod, Tunnel, TunnelKind};
pub use service::{
    Family, KernelName, KeyError, NameError, Netmask, Persistence, Protocol, SchedulerFlags,
    ServiceKey, ServiceSettings,
};
pub use service_watch::ServiceWatch;
pub use sync::{SyncDaemon, SyncSettings, SyncState};
pub use table::{Destinations, Digests, Entry, Survey, SurveyKey, Table};
pub use time::Time;
pub use view::{
    CheckView, Command, CommandReport, FileState, FileView, KernelView, NameList, Phase, PlanLine,
    PlanView, RejectedFile, ReloadReport, RoleReport, ServerView, ServiceView, Sign, Snapshot,
    SyncView, VipView,
};
pub use vip::{Announce, Backing, Link, Links, Mac, Vip, VipKey, VipKeyError, VipWhen};
pub use vitals::{Ailment, Vitals};
pub use watch::{
    Alert, AlertCall, AlertOn, Collapse, Dependency, Depends, ExitRange, Expression, MonitorCall,
    MonitorKind, NativeMonitor, Period, Repeat, Throttle, ViewItem, WatchFolders, WatchKey,
    WatchSettings, WatchSpec, Watching,
};
pub use watch_status::{
    AlertsCommand, AlertsOf, AlertsReport, DisabledKind, DisabledStatus, HostStatus, WatchStatus,
};
pub use watched::{
    Acknowledged, AlertNote, Disabled, Disabling, FailureNote, Finding, HostResult, OpStatus, Trap,
    WatchOrder, WatchRefusal, WatchView,
};
