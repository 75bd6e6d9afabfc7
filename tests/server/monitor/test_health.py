from __future__ import annotations

from tuiha.server.monitor.health import Health


def test_three_users_in_a_row_and_it_is_gone() -> None:
    health = Health(failures=3)
    assert not health.failed(1, "refused", 0.0)
    assert not health.failed(2, "refused", 0.1)
    assert health.failed(3, "refused", 0.2)
    assert health.why == "refused"
    assert not health.failed(4, "refused", 0.3), "it tips once"


def test_one_user_that_fails_again_and_again_is_its_own_trouble() -> None:
    health = Health(failures=3)
    assert not any(health.failed(1, "no answer", float(second)) for second in range(9))
    assert not health.gone


def test_a_user_that_is_served_clears_the_others_failures() -> None:
    health = Health(failures=3)
    for user in range(50):
        assert not health.failed(2 * user, "no answer", float(user) / 10)
        assert not health.failed(2 * user + 1, "no answer", float(user) / 10)
        health.served(float(user) / 10)
    assert not health.gone


def test_old_failures_say_nothing() -> None:
    health = Health(failures=3, window=10.0)
    assert not any(health.failed(user, "refused", user * 6.0) for user in range(20))


def test_one_probe_without_an_answer_and_it_is_gone() -> None:
    health = Health()
    health.answered(9.0)
    assert health.probe_failed("no answer", started=10.0)
    assert health.gone


def test_a_probe_is_not_believed_when_somebody_else_had_an_answer_meanwhile() -> None:
    health = Health()
    health.answered(10.5)
    assert not health.probe_failed("no answer", started=10.0)
    assert not health.gone


def test_it_comes_back_only_when_told() -> None:
    health = Health(failures=1)
    health.failed(1, "refused", 0.0)
    health.answered(1.0)
    health.served(2.0)
    assert health.gone
    health.bring_back()
    assert not health.gone
