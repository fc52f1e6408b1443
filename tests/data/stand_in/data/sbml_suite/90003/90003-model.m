(* 

category:      Test
synopsis:      A made-up case with a closed-form solution.
*)
