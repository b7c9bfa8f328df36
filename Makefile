# The commands of a fresh checkout. All the work is in cargo and in the scripts of tests/lab.

.PHONY: all demo test bench kernel-test test-ha

all:
	cargo build --release

# The director at work on a real kernel table, in under 30 seconds. An ordinary build will do: it
# is ready in a third of the time of an optimised one.
demo:
	cargo build
	@tests/lab/demo

# Format, lints, unit and property tests, kernel tests.
test:
	@tests/lab/test

# Only the tests against a real kernel: make kernel-test FILTER=words-of-a-test-name
kernel-test:
	@tests/lab/test --kernel-only $(FILTER)

# Two directors under heartbeat and Pacemaker. Not part of make test, for it takes some six minutes
# more: .ci/run plays it after that.
# make test-ha STORY=name plays one: see tests/lab/ha.
test-ha:
	@tests/lab/test-ha $(STORY)

# Against keepalived, ipvsadm, fping, ldirectord and mon, in one run.
bench:
	@tests/lab/bench
