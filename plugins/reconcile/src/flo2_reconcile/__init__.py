"""Reconciliation: the ledger against the providers' own bills, to the token."""

from __future__ import annotations

from flo2 import Register, hookimpl
from flo2_reconcile.explainers.boundary import BucketBoundary
from flo2_reconcile.explainers.classes import CacheClassMoved, PriceDiffers, ToolFees
from flo2_reconcile.explainers.duplicates import CountedTwice
from flo2_reconcile.explainers.late import BatchNotIngested, LateData
from flo2_reconcile.explainers.moved import (
    AliasResolved,
    CredentialDiffers,
    GeoDiffers,
    ProcessingDiffers,
    ProjectDiffers,
    TierDiffers,
    WindowDiffers,
)
from flo2_reconcile.explainers.outside import OutsideGateway
from flo2_reconcile.explainers.pending import PendingClosed, VoidBilled
from flo2_reconcile.importers.anthropic import AnthropicReports
from flo2_reconcile.importers.aws import AwsReport
from flo2_reconcile.importers.azure import AzureExport
from flo2_reconcile.importers.focus import FocusFile
from flo2_reconcile.importers.gcp import GoogleBilling
from flo2_reconcile.importers.mapped import DashboardExport, MappedFile
from flo2_reconcile.importers.openai import OpenAIReports
from flo2_reconcile.importers.resellers import OpenRouterActivity, XaiUsage

__all__ = ["flo2_api", "flo2_register_explainers", "flo2_register_importers"]

flo2_api = (1, 0)


@hookimpl
def flo2_register_importers(register: Register) -> None:
    """Register the formats."""
    for importer in IMPORTERS:
        register(importer)


@hookimpl
def flo2_register_explainers(register: Register) -> None:
    """Register the causes."""
    for explainer in EXPLAINERS:
        register(explainer)


IMPORTERS = (
    OpenAIReports,
    DashboardExport,
    AnthropicReports,
    GoogleBilling,
    AwsReport,
    AzureExport,
    FocusFile,
    OpenRouterActivity,
    XaiUsage,
    MappedFile,
)
"""Asked in this order whether a file is theirs."""

EXPLAINERS = (
    OutsideGateway,
    BucketBoundary,
    TierDiffers,
    AliasResolved,
    ProcessingDiffers,
    GeoDiffers,
    WindowDiffers,
    CredentialDiffers,
    ProjectDiffers,
    CountedTwice,
    BatchNotIngested,
    PendingClosed,
    VoidBilled,
    CacheClassMoved,
    ToolFees,
    LateData,
    PriceDiffers,
)
"""In the order they are asked."""
