//! Stories on a virtual clock, with a network made of maps; and random histories.

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;

const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
const OURS: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn key(text: &str) -> VipKey {
    text.parse().unwrap()
}

fn name(text: &str) -> InterfaceName {
    InterfaceName::new(text).unwrap()
}

fn vip() -> VipKey {
    key("10.0.0.3/32 on eth0")
}

/// The room, a kernel that does what it is told, and neighbours.
struct World {
    room: Addresses,
    now: Time,
    kernel: Links,
    /// Hosts that answer for an address.
    others: BTreeMap<IpAddr, Mac>,
    /// What stands on disk.
    noted: BTreeSet<VipKey>,
    /// What every attempt to add is answered with.
    refusal: Option<KernelErrorKind>,
    /// Why no packet can be sent.
    gagged: bool,
    /// What was done, with its time in milliseconds.
    done: Vec<(u64, String)>,
    events: Vec<String>,
}

impl World {
    fn new(owned: &[VipKey]) -> World {
        let link = |index| Link { index, up: true, mac: Some(OURS), addresses: BTreeMap::new() };
        let links = [("eth0", 2), ("eth1", 3)].map(|(n, index)| (name(n), link(index)));
        let lo = Link { mac: None, ..link(1) };
        World {
            room: Addresses::new(owned.iter().cloned().collect()),
            now: Time::after_epoch(Duration::from_secs(1_000)),
            kernel: Links(links.into_iter().chain([(name("lo"), lo)]).collect()),
            others: BTreeMap::new(),
            noted: owned.iter().cloned().collect(),
            refusal: None,
            gagged: false,
            done: Vec::new(),
            events: Vec::new(),
        }
    }

    fn wish(&mut self, wishes: &[(VipKey, Presence)]) {
        let announce = Announce::default();
        let wishes =
            wishes.iter().map(|(k, presence)| (k.clone(), Wish { presence: *presence, announce }));
        self.room.handle_wishes(&wishes.collect(), self.now);
        self.work();
    }

    fn want(&mut self, vip: &VipKey) {
        self.wish(&[(vip.clone(), Presence::Present)]);
    }

    fn link(&mut self, interface: &str) -> &mut Link {
        self.kernel.0.get_mut(&name(interface)).unwrap()
    }

    /// Somebody else changed something, and the kernel told of it.
    fn changed(&mut self, change: impl FnOnce(&mut World)) {
        change(self);
        self.room.handle_change(self.now);
        self.work();
    }

    fn holds(&self, vip: &VipKey) -> bool {
        let link = self.kernel.0.get(&vip.interface);
        link.is_some_and(|link| link.addresses.contains_key(&(vip.address, vip.prefix)))
    }

    /// Does what is asked until nothing more is.
    fn work(&mut self) {
        for _ in 0..10_000 {
            self.events
                .extend(std::iter::from_fn(|| self.room.poll_event()).map(|e| e.to_string()));
            let Some(action) = self.room.poll_action() else { return };
            self.carry_out(action);
        }
        panic!("there is no end to it: {:?}", self.done);
    }

    fn carry_out(&mut self, action: Action) {
        let did = |world: &mut World, what: String| {
            let at = world.now.since(Time::after_epoch(Duration::from_secs(1_000)));
            world.done.push((u64::try_from(at.as_millis()).unwrap(), what));
        };
        match action {
            Action::Own(all) => self.noted = all.into_iter().collect(),
            Action::Look(_) => {
                let links = self.kernel.clone();
                self.room.handle_links(Ok(links), self.now);
            }
            Action::Ask(targets) => {
                targets.iter().for_each(|t| did(self, format!("ask {}", t.vip)));
                self.now = self.now + Duration::from_millis(150);
                let error = || KernelError::new(KernelErrorKind::Unavailable, "CAP_NET_RAW");
                let answer = |t: &Target| Some((t.vip.clone(), *self.others.get(&t.vip.address)?));
                let answers = targets.iter().filter_map(answer).collect();
                let answers = if self.gagged { Err(error()) } else { Ok(answers) };
                self.room.handle_answers(&targets, answers, self.now);
            }
            Action::Add(targets) => {
                let mut failures = Vec::new();
                for (at, target) in targets.iter().enumerate() {
                    did(self, format!("add {}", target.vip));
                    assert!(self.noted.contains(&target.vip), "added before it was noted");
                    let kind = self.refusal.or(self.add(target).err());
                    failures.extend(kind.map(|kind| (at, KernelError::new(kind, "no"))));
                }
                self.room.handle_added(&targets, &failures, self.now);
            }
            Action::Remove(targets) => {
                for target in &targets {
                    did(self, format!("remove {}", target.vip));
                    assert!(self.noted.contains(&target.vip), "removed what is not ours");
                    if let Some(link) = self.kernel.0.get_mut(&target.vip.interface) {
                        link.addresses.remove(&(target.vip.address, target.vip.prefix));
                    }
                }
                self.room.handle_removed(&targets, &[], self.now);
            }
            Action::Announce(targets) => {
                targets.iter().for_each(|t| did(self, format!("tell {}", t.vip)));
                let error = || KernelError::new(KernelErrorKind::Unavailable, "CAP_NET_RAW");
                let outcome = if self.gagged { Err(error()) } else { Ok(()) };
                self.room.handle_announced(outcome, self.now);
            }
        }
    }

    fn add(&mut self, target: &Target) -> Result<(), KernelErrorKind> {
        if self.refusal.is_some() {
            return Ok(());
        }
        let link = self.kernel.0.get_mut(&target.vip.interface);
        let link =
            link.filter(|link| link.index == target.index).ok_or(KernelErrorKind::Refused)?;
        let place = (target.vip.address, target.vip.prefix);
        if link.addresses.contains_key(&place) {
            return Err(KernelErrorKind::Conflict);
        }
        link.addresses.insert(place, 1);
        Ok(())
    }

    /// Lets time pass; every deadline is kept.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        for _ in 0..100_000 {
            let Some(at) = self.room.poll_timeout().filter(|at| *at <= end) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(at);
            self.room.handle_timeout(self.now);
            self.work();
        }
        panic!("busy for ever: {:?}", self.room);
    }

    /// The times at which something was done.
    fn times(&self, what: &str) -> Vec<u64> {
        self.done.iter().filter(|(_, done)| done == what).map(|(at, _)| *at).collect()
    }

    fn count(&self, what: &str) -> usize {
        self.done.iter().filter(|(_, done)| done.starts_with(what)).count()
    }

    fn told(&self, start: &str) -> usize {
        self.events.iter().filter(|event| event.starts_with(start)).count()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_address_is_asked_for_added_and_announced() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(20));
    assert_eq!(world.times("ask 10.0.0.3/32 on eth0")[0], 0);
    assert_eq!(world.times("add 10.0.0.3/32 on eth0"), [150]);
    let told = world.times("tell 10.0.0.3/32 on eth0");
    assert_eq!(told.len(), 10, "{told:?}");
    assert!(told[..5].iter().all(|at| *at == 150), "{told:?}");
    assert!(told[5..].iter().all(|at| *at >= 5_150 && *at < 5_400), "{told:?}");
    assert_eq!(world.events, ["vip added vip=10.0.0.3/32 interface=eth0"]);
}

#[test]
fn no_longer_wanted_it_goes_and_is_no_longer_ours() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(1));
    assert!(world.holds(&vip()) && world.noted.contains(&vip()));
    world.wish(&[(vip(), Presence::Absent)]);
    assert!(!world.holds(&vip()) && world.noted.is_empty() && world.room.is_released());
    assert_eq!(world.told("vip removed"), 1);
}

#[test]
fn it_goes_at_once_while_something_else_is_under_way() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(1));
    let other = key("10.0.0.4/32 on eth0");
    let both = [(vip(), Presence::Present), (other.clone(), Presence::Present)];
    let wishes = |list: &[(VipKey, Presence)]| {
        let wish = |presence| Wish { presence, announce: Announce::default() };
        list.iter().map(|(k, p)| (k.clone(), wish(*p))).collect::<BTreeMap<_, _>>()
    };
    world.room.handle_wishes(&wishes(&both), world.now);
    assert!(matches!(world.room.poll_action(), Some(Action::Ask(_))), "it is under way");
    world.room.handle_wishes(&wishes(&[]), world.now);
    assert!(!world.room.is_released());
    let Some(Action::Remove(gone)) = world.room.poll_action() else { panic!("it waits") };
    assert_eq!(gone[0].vip, vip());
}

#[test]
fn one_that_is_added_right_now_is_removed_behind_that() {
    let mut world = World::new(&[]);
    let lo = key("10.0.0.3/32 on lo");
    let wish = Wish { presence: Presence::Present, announce: Announce::default() };
    world.room.handle_wishes(&[(lo.clone(), wish)].into(), world.now);
    world.room.handle_links(Ok(world.kernel.clone()), world.now);
    let actions: Vec<_> = std::iter::from_fn(|| world.room.poll_action()).collect();
    let Some(Action::Add(targets)) = actions.last() else { panic!("{actions:?}") };
    world.room.handle_wishes(&BTreeMap::new(), world.now);
    let Some(Action::Remove(gone)) = world.room.poll_action() else { panic!("it waits") };
    assert_eq!(&gone, targets);
    world.room.handle_added(targets, &[], world.now);
    assert!(!world.room.is_released(), "the kernel has it still");
    world.room.handle_removed(&gone, &[], world.now);
    assert!(world.room.is_released());
    assert!(matches!(world.room.poll_action(), Some(Action::Own(none)) if none.is_empty()));
}

#[test]
fn an_address_that_answers_elsewhere_is_told_of_and_taken_when_it_is_free() {
    let mut world = World::new(&[]);
    world.others.insert(vip().address, OTHER);
    world.want(&vip());
    world.pass(seconds(30));
    assert!(!world.holds(&vip()));
    assert_eq!(
        world.events,
        ["vip cannot be held vip=10.0.0.3/32 interface=eth0 \
          reason=\"02:00:00:00:00:09 answers for it: another host holds it\""]
    );
    let asked = world.count("ask");
    assert!((25..=31).contains(&asked), "once a second: {asked}");
    world.others.clear();
    world.pass(seconds(2));
    assert!(world.holds(&vip()));
    assert_eq!(world.room.view()[0].reason, None);
}

#[test]
fn what_was_answered_when_it_was_wanted_before_counts_no_more() {
    let mut world = World::new(&[]);
    world.others.insert(vip().address, OTHER);
    world.want(&vip());
    world.wish(&[(vip(), Presence::Absent)]);
    world.others.clear();
    world.pass(seconds(100));
    world.want(&vip());
    world.pass(seconds(1));
    assert!(world.holds(&vip()));
    assert_eq!(world.told("vip cannot be held"), 1, "of the first time: {:?}", world.events);
    // And one that was free then may be taken now.
    world.wish(&[(vip(), Presence::Absent)]);
    world.others.insert(vip().address, OTHER);
    world.want(&vip());
    world.pass(seconds(1));
    assert!(!world.holds(&vip()));
}

#[test]
fn another_interface_of_ours_is_not_another_host() {
    let mut world = World::new(&[]);
    world.others.insert(vip().address, OURS);
    world.want(&vip());
    world.pass(seconds(1));
    assert!(world.holds(&vip()));
}

#[test]
fn who_takes_an_address_we_hold_is_noticed_and_told_off() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(3));
    world.others.insert(vip().address, OTHER);
    world.pass(seconds(30));
    assert!(world.holds(&vip()), "it is kept");
    assert_eq!(world.told("vip held by another host as well"), 1);
    let reason = world.room.view()[0].reason.clone();
    assert_eq!(reason.as_deref(), Some("02:00:00:00:00:09 answers for it as well"));
    assert!(world.times("tell 10.0.0.3/32 on eth0").len() > 10, "{:?}", world.done);
    world.others.clear();
    world.pass(seconds(30));
    assert_eq!(world.told("vip held by no other host any more"), 1);
}

#[test]
fn what_was_there_is_used_announced_and_left_behind() {
    let mut world = World::new(&[]);
    world.link("eth0").addresses.insert((vip().address, 32), 0);
    world.want(&vip());
    world.pass(seconds(1));
    assert_eq!((world.count("add"), world.count("tell")), (0, 5));
    assert_eq!(world.told("vip there already"), 1);
    world.wish(&[]);
    assert!(world.holds(&vip()) && world.room.is_released());
    // With another prefix length it is another address.
    world.want(&key("10.0.0.3/24 on eth0"));
    world.pass(seconds(1));
    assert_eq!(world.count("add 10.0.0.3/24"), 1);
}

#[test]
fn a_restart_finds_its_addresses_and_removes_those_nobody_asks_for() {
    let orphan = key("10.0.0.9/32 on eth1");
    let mut world = World::new(&[vip(), orphan.clone()]);
    for vip in [vip(), orphan.clone()] {
        world.kernel.0.get_mut(&vip.interface).unwrap().addresses.insert((vip.address, 32), 118);
    }
    world.want(&vip());
    world.pass(seconds(1));
    assert_eq!((world.count("add"), world.count("ask")), (0, 0));
    assert!(world.holds(&vip()) && !world.holds(&orphan));
    assert_eq!(world.noted, [vip()].into());
    assert_eq!(world.told("vip there already"), 0, "it is ours");
}

#[test]
fn with_a_rejected_file_what_nobody_asks_for_is_spared() {
    let mut world = World::new(&[vip()]);
    world.link("eth0").addresses.insert((vip().address, 32), 118);
    world.room.spare_unclaimed(true);
    world.wish(&[]);
    world.pass(seconds(5));
    assert!(world.holds(&vip()));
    world.room.spare_unclaimed(false);
    world.wish(&[]);
    assert!(!world.holds(&vip()));
}

#[test]
fn as_found_adds_nothing_and_removes_nothing() {
    let mut world = World::new(&[vip()]);
    world.wish(&[(vip(), Presence::AsFound)]);
    world.pass(seconds(5));
    assert!(!world.holds(&vip()));
    world.changed(|world| {
        world.link("eth0").addresses.insert((vip().address, 32), 118);
    });
    world.pass(seconds(5));
    assert!(world.holds(&vip()));
    assert!(world.room.is_released());
}

#[test]
fn it_comes_back_when_its_link_does() {
    let mut world = World::new(&[]);
    let vip6 = key("2001:db8::3/128 on eth0");
    world.want(&vip6);
    world.pass(seconds(100));
    world.changed(|world| {
        let link = world.link("eth0");
        link.up = false;
        // As the kernel does.
        link.addresses.clear();
    });
    world.pass(seconds(100));
    assert!(!world.holds(&vip6));
    assert_eq!(world.told("vip lost"), 1);
    let reason = world.room.view()[0].reason.clone().unwrap();
    assert_eq!(reason, "interface eth0 is down, or has no carrier");
    world.changed(|world| world.link("eth0").up = true);
    world.pass(seconds(1));
    assert!(world.holds(&vip6));
}

#[test]
fn one_that_stayed_is_announced_anew_when_its_link_is_back() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(10));
    let before = world.count("tell");
    world.changed(|world| world.link("eth0").up = false);
    world.pass(seconds(10));
    assert_eq!(world.count("tell"), before, "nobody hears");
    world.changed(|world| world.link("eth0").up = true);
    world.pass(seconds(1));
    assert_eq!(world.count("tell"), before + 5);
    assert_eq!(world.count("add"), 1);
}

#[test]
fn an_interface_that_does_not_exist_is_told_of_once_and_waited_for() {
    let mut world = World::new(&[]);
    let far = key("10.0.0.3/32 on eth7");
    world.want(&far);
    world.pass(seconds(200));
    assert_eq!(
        world.events,
        ["vip cannot be held vip=10.0.0.3/32 interface=eth7 reason=\"there is no interface eth7\""]
    );
    world.changed(|world| {
        let link = world.link("eth0").clone();
        world.kernel.0.insert(name("eth7"), Link { index: 9, ..link });
    });
    world.pass(seconds(1));
    assert!(world.holds(&far));
}

#[test]
fn an_interface_that_came_unheard_is_looked_for_when_it_is_asked_for() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(1));
    let link = world.link("eth0").clone();
    world.kernel.0.insert(name("eth7"), Link { index: 9, addresses: BTreeMap::new(), ..link });
    let far = key("10.0.0.3/32 on eth7");
    world.want(&far);
    world.pass(seconds(1));
    assert!(world.holds(&far) && !world.holds(&vip()));
}

#[test]
fn what_somebody_removes_is_put_back_but_not_for_ever_at_once() {
    let mut world = World::new(&[]);
    world.want(&vip());
    world.pass(seconds(100));
    let lose = |world: &mut World| {
        world.changed(|world| world.link("eth0").addresses.clear());
        world.pass(seconds(1));
    };
    lose(&mut world);
    assert!(world.holds(&vip()), "at once");
    assert!(world.events[1].ends_with("reason=\"somebody removed it\""), "{:?}", world.events);
    for _ in 0..600 {
        lose(&mut world);
    }
    let added = world.count("add");
    assert!((20..60).contains(&added), "in ten minutes: {added}");
}

#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let mut world = World::new(&[]);
    world.refusal = Some(KernelErrorKind::Unavailable);
    world.want(&vip());
    world.pass(seconds(300));
    assert_eq!(world.told("vip cannot be held"), 1);
    assert!((10..20).contains(&world.count("add")), "{}", world.count("add"));
    world.refusal = None;
    world.pass(seconds(31));
    assert!(world.holds(&vip()));
    assert_eq!(world.told("vip added"), 1);
}

#[test]
fn without_the_means_to_ask_it_is_added_all_the_same_and_said() {
    let mut world = World::new(&[]);
    world.gagged = true;
    world.want(&vip());
    world.pass(seconds(100));
    assert!(world.holds(&vip()));
    assert_eq!(world.told("trouble"), 1, "{:?}", world.events);
    assert_eq!(world.room.view()[0].reason.as_deref(), Some("CAP_NET_RAW"));
}

#[test]
fn somebody_who_was_faster_keeps_it() {
    let mut world = World::new(&[]);
    world.refusal = Some(KernelErrorKind::Conflict);
    world.want(&vip());
    world.refusal = None;
    world.link("eth0").addresses.insert((vip().address, 32), 0);
    world.pass(seconds(5));
    world.wish(&[]);
    assert!(world.holds(&vip()) && world.noted.is_empty(), "{:?}", world.events);
}

#[test]
fn a_loopback_has_no_neighbours() {
    let mut world = World::new(&[]);
    world.want(&key("10.0.0.3/32 on lo"));
    world.pass(seconds(100));
    assert_eq!((world.count("ask"), world.count("add"), world.count("tell")), (0, 1, 0));
}

#[test]
fn many_addresses_are_asked_for_and_announced_in_turns() {
    let mut world = World::new(&[]);
    let all: Vec<_> = (0..250).map(|n| key(&format!("10.0.1.{n}/32 on eth0"))).collect();
    let wishes: Vec<_> = all.iter().map(|vip| (vip.clone(), Presence::Present)).collect();
    world.wish(&wishes);
    world.pass(seconds(60));
    let told: Vec<_> = world.done.iter().filter(|(_, what)| what.starts_with("tell")).collect();
    assert_eq!(told.len(), 2_500);
    let mut per_moment: BTreeMap<u64, usize> = BTreeMap::new();
    told.iter().for_each(|(at, _)| *per_moment.entry(*at).or_default() += 1);
    assert!(per_moment.values().all(|count| *count <= BURST), "{per_moment:?}");
    let asked = world.done.iter().filter(|(at, what)| what.starts_with("ask") && *at < 3_000);
    assert!(asked.count() >= 250);
}

#[test]
fn nothing_is_asked_of_a_host_without_vips() {
    let mut world = World::new(&[]);
    world.wish(&[]);
    world.pass(seconds(1_000));
    world.room.handle_change(world.now);
    assert_eq!(world.room.poll_timeout(), None);
    assert!(world.done.is_empty() && world.room.view().is_empty());
}

/// What may happen to a world.
#[derive(Clone, Debug)]
enum Turn {
    Wish(Vec<Option<bool>>),
    Pass(u64),
    Link(bool, bool),
    Foreign(usize, bool),
    Taken(usize, bool),
    Refusal(Option<bool>),
    Gag(bool),
    Crash,
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        4 => proptest::collection::vec(proptest::option::of(any::<bool>()), 4).prop_map(Turn::Wish),
        4 => (0u64..4_000).prop_map(Turn::Pass),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(first, up)| Turn::Link(first, up)),
        2 => (0usize..4, any::<bool>()).prop_map(|(at, there)| Turn::Foreign(at, there)),
        1 => (0usize..4, any::<bool>()).prop_map(|(at, taken)| Turn::Taken(at, taken)),
        1 => proptest::option::of(any::<bool>()).prop_map(Turn::Refusal),
        1 => any::<bool>().prop_map(Turn::Gag),
        1 => Just(Turn::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing is added before it is noted or removed that is not ours (`World` asserts both), and
    /// once all is quiet what is wanted is there and what is not wanted is gone.
    #[test]
    fn whatever_happens_all_is_well_in_the_end(turns in proptest::collection::vec(turn(), 1..40)) {
        let all = ["10.0.0.1/32 on eth0", "2001:db8::2/128 on eth0", "10.0.0.3/24 on eth1", "10.0.0.4/32 on lo"]
            .map(key);
        let mut world = World::new(&[]);
        let mut wanted = vec![None; 4];
        let wishes = |wanted: &[Option<bool>]| -> Vec<(VipKey, Presence)> {
            let presence = |there: bool| if there { Presence::Present } else { Presence::Absent };
            all.iter().zip(wanted).filter_map(|(k, w)| Some((k.clone(), presence((*w)?)))).collect()
        };
        for turn in turns {
            match turn {
                Turn::Wish(new) => {
                    wanted = new;
                    world.wish(&wishes(&wanted));
                }
                Turn::Pass(ms) => world.pass(Duration::from_millis(ms)),
                Turn::Link(first, up) => world.changed(|world| {
                    let link = world.link(if first { "eth0" } else { "eth1" });
                    link.up = up;
                    if !up {
                        link.addresses.retain(|(address, _), _| address.is_ipv4());
                    }
                }),
                Turn::Foreign(at, there) => world.changed(|world| {
                    let place = (all[at].address, all[at].prefix);
                    let link = world.kernel.0.get_mut(&all[at].interface).unwrap();
                    match there {
                        true => { link.addresses.entry(place).or_insert(0); }
                        false => { link.addresses.remove(&place); }
                    }
                }),
                Turn::Taken(at, true) => { world.others.insert(all[at].address, OTHER); }
                Turn::Taken(at, false) => { world.others.remove(&all[at].address); }
                Turn::Refusal(kind) => {
                    let kinds = [KernelErrorKind::Refused, KernelErrorKind::Unavailable];
                    world.refusal = kind.map(|first| kinds[usize::from(first)]);
                }
                Turn::Gag(gagged) => world.gagged = gagged,
                Turn::Crash => {
                    world.room = Addresses::new(world.noted.clone());
                    world.wish(&wishes(&wanted));
                }
            }
        }
        world.refusal = None;
        world.others.clear();
        world.changed(|world| world.kernel.0.values_mut().for_each(|link| link.up = true));
        world.pass(seconds(120));
        for (vip, wanted) in all.iter().zip(&wanted) {
            match wanted {
                Some(true) => prop_assert!(world.holds(vip), "{vip}: {:?}", world.room),
                _ => prop_assert!(!world.noted.contains(vip), "{vip}: {:?}", world.room),
            }
        }
        prop_assert!(world.room.is_released());
        let held_by_us = |vip: &VipKey| {
            let link = &world.kernel.0[&vip.interface];
            link.addresses.get(&(vip.address, vip.prefix)) == Some(&1)
        };
        for vip in all.iter().filter(|vip| held_by_us(vip)) {
            prop_assert!(world.noted.contains(vip), "{vip} is an orphan: {:?}", world.room);
        }
    }
}
