"""SkyMoE for Transformers; importing this package registers it with the Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from .. import efficientnet_lite  # noqa: F401  (registers the small tower, which configurations may name)
from .configuration_skymoe import SkyMoeConfig
from .modeling_skymoe import (
    SkyMoeForConditionalGeneration,
    SkyMoeModel,
    SkyMoePreTrainedModel,
    activated_parameters,
)
from .processing_skymoe import SkyMoeProcessor

AutoConfig.register(SkyMoeConfig.model_type, SkyMoeConfig, exist_ok=True)
AutoModel.register(SkyMoeConfig, SkyMoeModel, exist_ok=True)
AutoModelForImageTextToText.register(SkyMoeConfig, SkyMoeForConditionalGeneration, exist_ok=True)
AutoProcessor.register(SkyMoeConfig, SkyMoeProcessor, exist_ok=True)

__all__ = [
    "SkyMoeConfig",
    "SkyMoeForConditionalGeneration",
    "SkyMoeModel",
    "SkyMoePreTrainedModel",
    "SkyMoeProcessor",
    "activated_parameters",
]
