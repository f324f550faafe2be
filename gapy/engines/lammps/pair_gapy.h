// Pair style gapy: LAMMPS' arrays to gapy's engine, which runs in Python in the same process.

#ifndef LMP_PAIR_GAPY_H
#define LMP_PAIR_GAPY_H

#include "callbacks.h"
#include "pair.h"

#include <limits>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class PairGapy : public Pair {
 public:
  explicit PairGapy(LAMMPS *);
  ~PairGapy() override;
  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override { return opened.cutoff; }
  void compute(int, int) override;
  void *extract(const char *, int &) override;
  void *extract_peratom(const char *, int &) override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  double memory_usage() override;

 private:
  GapyModel opened = {-1, 0, 0, 0, 0.0, 0.0};
  std::vector<int64_t> number_of_type;
  int member = -1, sigma_every = 0, sigma_asked = 0, posterior_every = -1;
  double max_force_std = std::numeric_limits<double>::infinity();
  std::string frame_path = "flagged.extxyz", without, precision;
  double charges_reach = 0.0;
  bool stopped = false, sigma_now = false, samples_now = false;
  double largest = std::numeric_limits<double>::quiet_NaN();
  char message[MESSAGE_LENGTH] = {};

  // Of all atoms of the domain, ghosts too.
  std::vector<double> forces, base_forces, indicators, deviations, force_sigma;
  // Of the centres at hand.
  std::vector<int> place, members;
  std::vector<int64_t> number, first;
  std::vector<int32_t> neighbour;
  std::vector<double> vector, energies, out_forces, out_base, out_indicators, out_deviations, sigma;

  void gather(int begin, int end);
  GapyPart part();
  void evaluate_part(int begin, int end);
  void all_sigmas();
  void stop();
  void require_beside();
  int styles_without() const;
  void agree(bool failed);
  double positive(const char *keyword, const char *value);
};

}    // namespace LAMMPS_NS

#endif
