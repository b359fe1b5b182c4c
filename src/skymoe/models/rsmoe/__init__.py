"""RS-MoE for Transformers; importing this package registers it with the Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from .. import efficientnet_lite  # noqa: F401  (registers the small tower, which configurations may name)
from .configuration_rsmoe import EXPERT_NAMES, EXPERT_TASKS, RsMoeConfig
from .explaining import ExpertPrompt, Explained, explain
from .generation_rsmoe import RsMoeForConditionalGeneration, RsMoeOutput
from .instruction_router import Told
from .modeling_rsmoe import Encoded, RsMoeModel, RsMoePreTrainedModel
from .processing_rsmoe import RsMoeProcessor
from .sizes import known_config, parameter_counts
from .specialising import specialise
from .sub_tasks import plain_task, task_tokens, worded_task

AutoConfig.register(RsMoeConfig.model_type, RsMoeConfig, exist_ok=True)
AutoModel.register(RsMoeConfig, RsMoeModel, exist_ok=True)
AutoModelForImageTextToText.register(RsMoeConfig, RsMoeForConditionalGeneration, exist_ok=True)
AutoProcessor.register(RsMoeConfig, RsMoeProcessor, exist_ok=True)

__all__ = [
    "EXPERT_NAMES",
    "EXPERT_TASKS",
    "Encoded",
    "ExpertPrompt",
    "Explained",
    "RsMoeConfig",
    "RsMoeForConditionalGeneration",
    "RsMoeModel",
    "RsMoeOutput",
    "RsMoePreTrainedModel",
    "RsMoeProcessor",
    "Told",
    "explain",
    "known_config",
    "parameter_counts",
    "plain_task",
    "specialise",
    "task_tokens",
    "worded_task",
]
