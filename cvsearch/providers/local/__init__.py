"""The built-in local model: pictures and English texts as vectors, without account or network.

It is a zero-shot model in concept space after ConSE (Norouzi et al., "Zero-Shot Learning by Convex
Combination of Semantic Embeddings", ICLR 2014); `docs/local-model.md` explains it.  Importing this
package is cheap: the encoders load what they need when they are first asked.
"""

from cvsearch.providers.local.space import DESCRIPTION, SPACE

__all__ = ["DESCRIPTION", "SPACE"]
