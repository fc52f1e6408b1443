"""Pairs of operands that several sums or several products share, found greedily and computed once."""

from __future__ import annotations

import heapq
from collections.abc import Callable

__all__ = ["share_pairs"]

# Operands of one sum or product beyond which shared pairs are not searched: pairs grow with the square of the length.
_LONGEST_SHARED = 60


def share_pairs(lists: dict[int, list[tuple[int, int]]], join: Callable[[int, int, int], int]) -> None:
    """Compute common pairs of operands once, in place: always the pair that most lists hold.

    Parameters
    ----------
    lists
        Node -> its operands with their signs; changed in place.
    join
        Makes the node of a pair from both operands and whether their signs differ (1 or 0).

    Most pairs occur in one list only and never in another; a set of lists is kept for the others alone. Lists that have
    lost a pair are struck off when its turn comes, for there are many more pairs than turns.
    """
    index = _PairIndex(lists)
    # Counts in the heap go out of date, as lists lose operands and gain joint ones. The top is therefore checked when
    # it is popped, and pushed again with its true count (lazy deletion, as is usual in Dijkstra's algorithm).
    heap = [(-len(keys), shared) for shared, keys in index.where.items()]
    heapq.heapify(heap)
    while heap:
        count, shared = heapq.heappop(heap)
        keys = index.holding(shared)
        if len(keys) < 2 or -count != len(keys):
            index.where[shared] = set(keys)
            if len(keys) > 1:
                heapq.heappush(heap, (-len(keys), shared))
            continue
        # Sharing saves one operation in every list but one. Taking the most frequent pair first is not optimal, but the
        # optimum is NP-hard to find (ensemble computation).
        a, b, differ = _operands(shared)
        joint = join(a, b, differ)
        for key in keys:
            for new in index.replace(key, a, b, joint):
                heapq.heappush(heap, (-2, new))
        index.where[shared] = set(keys)
        heapq.heappush(heap, (-len(keys), shared))


def _pair(a: int, b: int, differ: bool) -> int:
    """Return a pair as one integer: the smaller operand, 32 bits of the larger one, and whether their signs differ.

    It is hashed and compared faster than a tuple, and the largest models have millions of pairs.
    """
    return (a << 33 | b << 1 | differ) if a <= b else (b << 33 | a << 1 | differ)


def _operands(pair: int) -> tuple[int, int, int]:
    """Both operands of a pair, and 1 where their signs differ."""
    return pair >> 33, pair >> 1 & 0xFFFFFFFF, pair & 1


class _PairIndex:
    """Which lists hold which pair.

    Attributes
    ----------
    lists : list -> its operands with their signs; changed in place.
    alone : pair -> the only list that holds it. where : pair -> the lists that may hold it.
    signs : list -> operand -> sign.
    """

    def __init__(self, lists: dict[int, list[tuple[int, int]]]) -> None:
        self.lists = lists
        self.alone: dict[int, int] = {}
        self.where: dict[int, set[int]] = {}
        self.signs: dict[int, dict[int, int]] = {}
        for key, terms in lists.items():
            if len(terms) > _LONGEST_SHARED:
                continue
            self.signs[key] = dict(terms)
            for i, (a, s) in enumerate(terms):
                for b, r in terms[i + 1 :]:
                    # `_pair` and `add`, written out: this line runs once for every pair of the model
                    pair = (a << 33 | b << 1 | (s != r)) if a <= b else (b << 33 | a << 1 | (s != r))
                    if pair in self.where:
                        self.where[pair].add(key)
                    elif self.alone.setdefault(pair, key) != key:
                        self.where[pair] = {self.alone[pair], key}

    def add(self, pair: int, key: int) -> bool:
        """Note that a list holds a pair; return whether it thereby is one that two lists hold, and was none before."""
        members = self.where.get(pair)
        if members is not None:
            members.add(key)
        elif self.alone.setdefault(pair, key) != key:
            self.where[pair] = {self.alone[pair], key}
            return True
        return False

    def holding(self, pair: int) -> list[int]:
        """Lists that still hold a pair, in order."""
        a, b, differ = _operands(pair)
        holders = []
        for key in self.where[pair]:
            sign = self.signs[key]
            if a in sign and b in sign and (a != b or self.lists[key].count((a, sign[a])) > 1):
                if (sign[a] != sign[b]) == differ:
                    holders.append(key)
        holders.sort()
        return holders

    def replace(self, key: int, a: int, b: int, joint: int) -> list[int]:
        """Put a joint operand in the place of two in a list; return the pairs that two lists hold since then."""
        terms, sign = self.lists[key], self.signs[key]
        s = sign[a]
        terms.remove((a, s))
        terms.remove((b, sign[b]))
        if len(sign) == len(terms) + 2:
            del sign[a], sign[b]
        else:  # an operand that occurs more than once
            left = {other for other, _ in terms}
            for operand in {a, b} - left:
                del sign[operand]
        # The joint operand makes new pairs with all that is left of its list.
        fresh = [pair for other, r in terms if self.add(pair := _pair(other, joint, s != r), key)]
        terms.append((joint, s))
        sign[joint] = s
        return fresh
