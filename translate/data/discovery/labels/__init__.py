"""Find images and their labels: classes for generators from noise, domains or attributes to translate to."""

from translate.data.discovery.labels.classes import LabeledImages, find_labeled
from translate.data.discovery.labels.domains import MultiDomainImages, NoDomainsError, find_multidomain

__all__ = ["LabeledImages", "MultiDomainImages", "NoDomainsError", "find_labeled", "find_multidomain"]
