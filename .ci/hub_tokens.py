"""A detector of tokens of the Hugging Face Hub, which detect-secrets does not know."""

import re

from detect_secrets.plugins.base import RegexBasedDetector


class HubTokenDetector(RegexBasedDetector):
    """User tokens (`hf_…`) and those of organizations (`api_org_…`)."""

    secret_type = "Hugging Face Token"  # pragma: allowlist secret
    denylist = (re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{30,}\b"),)
