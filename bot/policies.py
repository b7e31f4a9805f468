"""The configuration as the rules and handlers want it: one function for each of their policies."""

from __future__ import annotations

from decimal import Decimal

from bot.config import Config
from handlers.alarms.digest import Schedule
from handlers.alarms.limits import Limits
from handlers.context import Settings
from handlers.fixed_mode import FixedMode
from handlers.payment import PaymentPolicy
from handlers.payment_evidence import Policy as ListPolicy
from handlers.public_face import Face
from ledger.decide.attempt import AttemptPolicy
from ledger.decide.landing import LandingPolicy
from ledger.money import PPM
from nwc.invoice_rules import InvoiceRules


def attempts(config: Config) -> AttemptPolicy:
    payouts = config.payouts
    return AttemptPolicy(
        request_life=payouts.request_life_seconds,
        request_margin=payouts.request_margin_seconds,
        resend=payouts.resend_seconds,
        resolve=payouts.resolve_seconds,
        release_margin=payouts.release_margin_seconds,
        release_gap=payouts.release_gap_seconds,
        auto_release_max_sats=payouts.auto_release_max_sats,
    )


def payments(config: Config) -> PaymentPolicy:
    payouts = config.payouts
    return PaymentPolicy(
        attempt=attempts(config),
        max_attempts=payouts.max_attempts,
        invoice_min_left=payouts.invoice_min_left_seconds,
        max_leg_sats=payouts.max_leg_sats,
        max_day_sats=payouts.max_day_sats,
        max_hour_sats=payouts.max_hour_sats,
        max_in_flight_sats=payouts.max_in_flight_sats,
        max_fee_ppm=payouts.max_fee_ppm,
        operators=frozenset(config.roles.operators),
    )


def lists(config: Config) -> ListPolicy:
    return ListPolicy(payments(config), config.policy.unmatched_after_seconds)


def landing(config: Config) -> LandingPolicy:
    return LandingPolicy(
        rate_tolerance=Decimal(config.policy.rate_tolerance_ppm) / PPM,
        reject_fee_mismatch=config.policy.fee_mismatch == "reject",
    )


def invoices(config: Config) -> InvoiceRules:
    return InvoiceRules(
        network=config.payouts.network,
        min_left_seconds=config.payouts.invoice_min_left_seconds,
        max_hint_fee_ppm=config.payouts.max_fee_ppm,
    )


def limits(config: Config) -> Limits:
    alerts = config.alerts
    return Limits(
        machine_silent_minutes=alerts.machine_silent_minutes,
        cash_low_notes=alerts.cash_low_notes,
        wallet_low_sats=alerts.wallet_low_sats,
        wallet_unreachable_minutes=alerts.wallet_unreachable_minutes,
        unresolved_minutes=alerts.unresolved_minutes,
        stuck_after_minutes=config.policy.stuck_after_minutes,
        deposit_pending_hours=alerts.deposit_pending_hours,
        relay_down_minutes=alerts.relay_down_minutes,
        disk_low_mb=alerts.disk_low_mb,
    )


def public_face(config: Config) -> Face:
    return Face(config.nostr.public_machines, config.alerts.machine_silent_minutes * 60)


def orders(config: Config, bot_pubkey: str, version: str) -> Settings:
    """The bot's own key always may command."""
    return Settings(
        bot_pubkey=bot_pubkey,
        operators=frozenset(config.roles.operators) | {bot_pubkey},
        platforms=frozenset(config.roles.platform),
        wallets=frozenset(config.wallets),
        version=version,
        order_max_age_seconds=config.policy.order_max_age_minutes * 60,
        max_total_fee_ppm=config.policy.max_total_fee_ppm,
        stuck_after_minutes=config.policy.stuck_after_minutes,
        unmatched_after_seconds=config.policy.unmatched_after_seconds,
        target_cooldown_seconds=config.policy.target_cooldown_hours * 3_600,
        landing=landing(config),
        payments=payments(config),
        allow_private_targets=config.payouts.allow_private_targets,
        fixed_mode=FixedMode(
            config.fixed_mode.times,
            config.fixed_mode.zone,
            config.prices.max_age_minutes * 60,
            config.payouts.max_leg_sats,
        ),
        limits=limits(config),
        digest=Schedule(config.alerts.digest_at, config.alerts.zone),
    )
