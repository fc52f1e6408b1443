"""Coefficients of the Rosenbrock methods, in the form without products with the Jacobian (Hairer and Wanner, IV.7).

One step from x over h solves, for the stages i = 1..s, with E = I/(h gamma) - J::

    E k_i = f(t + c_i h, x + sum_j a_ij k_j) + sum_j C_ij k_j / h + d_i h df/dt

The methods here are stiffly accurate: the new value is the argument of the last stage plus k_s, and k_s is the error
estimate. Between steps, with D_m = sum_j h_mj k_j, ::

    x(theta) = (1-theta) x0 + theta (x1 + (1-theta) (D_1 + theta (D_2 + theta D_3 ...)))
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["METHODS", "Rosenbrock"]


@dataclass(frozen=True, kw_only=True)
class Rosenbrock:
    """One method.

    Attributes
    ----------
    name, order, error_order : order of the method and of its error estimate. gamma : diagonal coefficient.
    a, c : rows of stages 2..s (a of the last two stages: previous argument plus previous k, so not listed).
    nodes, slopes : c_i and d_i of every stage. dense : rows h_m of the interpolant.
    source : where the coefficients were published.
    """

    name: str
    order: int
    error_order: int
    gamma: float
    a: tuple[tuple[float, ...], ...]
    c: tuple[tuple[float, ...], ...]
    nodes: tuple[float, ...]
    slopes: tuple[float, ...]
    dense: tuple[tuple[float, ...], ...]
    source: str

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.c) + 1


RODAS4P = Rosenbrock(
    name="RODASP",
    order=4,
    error_order=3,
    gamma=0.25,
    a=(
        (3.0,),
        (1.831036793486759, 0.4955183967433795),
        (2.304376582692669, -0.05249275245743001, -1.176798761832782),
        (-7.170454962423024, -4.741636671481785, -16.31002631330971, -1.062004044111401),
    ),
    c=(
        (-12.0,),
        (-8.791795173947035, -2.207865586973518),
        (10.81793056857153, 6.780270611428266, 19.53485944642410),
        (34.19095006749676, 15.49671153725963, 54.74760875964130, 14.16005392148534),
        (34.62605830930532, 15.30084976114473, 56.99955578662667, 18.40807009793095, -5.714285714285717),
    ),
    nodes=(0.0, 0.75, 0.21, 0.63, 1.0, 1.0),
    slopes=(0.25, -0.5, -0.023504, -0.0362, 0.0, 0.0),
    dense=(
        (25.09876703708589, 11.62013104361867, 28.49148307714626, -5.664021568594133, 0.0),
        (1.638054557396973, -0.7373619806678748, 8.477918219238990, 15.99253148779520, -1.882352941176471),
    ),
    source="Steinebach, Preprint 1741, TH Darmstadt (1995); Hairer and Wanner, Solving ODEs II, code RODAS",
)

RODAS5P = Rosenbrock(
    name="Rodas5P",
    order=5,
    error_order=4,
    gamma=0.21193756319429014,
    a=(
        (3.0,),
        (2.849394379747939, 0.45842242204463923),
        (-6.954028509809101, 2.489845061869568, -10.358996098473584),
        (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
        (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
    ),
    c=(
        (-14.155112264123755,),
        (-17.97296035885952, -2.859693295451294),
        (147.12150275711716, -1.41221402718213, 71.68940251302358),
        (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
        (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
        (
            30.91273214028599,
            -3.1208243349937974,
            77.79954646070892,
            34.28646028294783,
            -19.097331116725623,
            -28.087943162872662,
        ),
        (
            37.80277123390563,
            -3.2571969029072276,
            112.26918849496327,
            66.9347231244047,
            -40.06618937091002,
            -54.66780262877968,
            -9.48861652309627,
        ),
    ),
    nodes=(0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0),
    slopes=(
        0.21193756319429014,
        -0.42387512638858027,
        -0.3384627126235924,
        1.8046452872882734,
        2.325825639765069,
        0.0,
        0.0,
        0.0,
    ),
    dense=(
        (
            25.948786856663858,
            -2.5579724845846235,
            10.433815404888879,
            -2.3679251022685204,
            0.524948541321073,
            1.1241088310450404,
            0.4272876194431874,
            -0.17202221070155493,
        ),
        (
            -9.91568850695171,
            -0.9689944594115154,
            3.0438037242978453,
            -24.495224566215796,
            20.176138334709044,
            15.98066361424651,
            -6.789040303419874,
            -6.710236069923372,
        ),
        (
            11.419903575922262,
            2.8879645146136994,
            72.92137995996029,
            80.12511834622643,
            -52.072871366152654,
            -59.78993625266729,
            -0.15582684282751913,
            4.883087185713722,
        ),
    ),
    source="Steinebach, BIT Numerical Mathematics 63:27 (2023), doi:10.1007/s10543-023-00967-x",
)

METHODS = {"rodasp": RODAS4P, "rodas5p": RODAS5P}
