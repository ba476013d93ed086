"""Every importer and explainer of this plugin. Imports: importers, explainers."""

from __future__ import annotations

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

__all__ = ["EXPLAINERS", "IMPORTERS"]

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
